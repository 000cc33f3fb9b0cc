"""Updates one of learners.py's algorithms from a state and batches given as JSON; prints the critics' losses."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "bench" / "python"))

import jax.numpy as jnp
from learners import ALGORITHMS, begin


def tensors(given):
    return [jnp.array(each["data"], jnp.float32).reshape(each["shape"]) for each in given]


def twins(given):
    both = tensors(given)
    return [both[: len(both) // 2], both[len(both) // 2 :]]


def read_batch(algorithm, given):
    batch = tensors(given)
    if algorithm != "cql":
        return tuple(batch)
    return (*batch[:7], *(jnp.stack(batch[7 + i :: 3]) for i in range(3)))


asked = json.load(sys.stdin)
learner = ALGORITHMS[asked["algorithm"]]()
state = asked["state"]
learning = {"actor": tensors(state["actor"]), "critics": twins(state["critics"])}
fixed = {"critic_targets": twins(state["criticTargets"])}
if "value" in state:
    learning["value"] = tensors(state["value"])
if "temperature" in state:
    learning["temperature"] = tensors(state["temperature"])[0]
if "actorTarget" in state:
    fixed["actor_target"] = tensors(state["actorTarget"])
now, losses = begin(learning, **fixed), []
for given in asked["batches"]:
    now, loss = learner.update(now, read_batch(asked["algorithm"], given))
    losses.append(float(loss))
print(json.dumps(losses))
