"""TD3+BC, CQL and IQL in JAX, as pure functions of a state and a batch.

Networks, losses, hyperparameters and the order of updates are those of Fleetmark's own learners, which cite where they
come from: Fujimoto & Gu 2021 (TD3+BC), Kumar et al. 2020 (CQL), Kostrikov et al. 2021 (IQL), Kingma & Ba 2015 (Adam).
From equal states and batches they give equal losses, which a test holds them to.

A network is a list of weights [inputs, outputs] and biases [outputs] in turns. A state is a dict of networks with
Adam's memory of those that learn. A batch is a tuple: observations [batch, 12], actions [batch, 3], rewards [batch, 1],
next observations [batch, 12], continues [batch, 1], and what chance gives, as `draw_chance` says.
"""

import jax
import jax.numpy as jnp
import numpy

# ChemicalReactor-v0, and hidden layers as in the reference implementation of TD3.
OBSERVATIONS, ACTIONS, HIDDEN = 12, 3, (256, 256)
DISCOUNT, TAU = 0.99, 0.005
# Actions that CQL draws from each of three distributions.
DRAWN = 10


def make_layers(chance, widths):
    """Weights and biases, uniform within 1 / sqrt(inputs), as PyTorch's linear layers begin."""
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        bound = inputs**-0.5
        layers.append(chance.uniform(-bound, bound, (inputs, outputs)).astype(numpy.float32))
        layers.append(chance.uniform(-bound, bound, (outputs,)).astype(numpy.float32))
    return layers


def forward(layers, x):
    """A multilayer perceptron: rectified linear units within, nothing behind the last layer."""
    for i in range(0, len(layers), 2):
        x = x @ layers[i] + layers[i + 1]
        if i + 2 < len(layers):
            x = jax.nn.relu(x)
    return x


def act(actor, observations):
    return jnp.tanh(forward(actor, observations))


def value_of(critic, observations, actions):
    return forward(critic, jnp.concatenate([observations, actions], -1))


def lesser(critics, observations, actions):
    return jnp.minimum(*(value_of(critic, observations, actions) for critic in critics))


def begin(learning, **fixed):
    """Makes a state of the networks that learn, and of the others."""
    zeros = lambda tree: jax.tree.map(jnp.zeros_like, tree)
    memory = {name: (zeros(network), zeros(network), jnp.ones(2)) for name, network in learning.items()}
    return jax.device_put({**learning, **fixed, "memory": memory})


def apply_gradients(state, name, gradients, rate):
    """One step of Adam (Kingma & Ba 2015, algorithm 1); its memory holds both moments and both rates' powers."""
    first, second, powers = state["memory"][name]
    powers = powers * jnp.array([0.9, 0.999])
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
    step = lambda p, m, v: p - rate * (m / (1 - powers[0])) / (jnp.sqrt(v / (1 - powers[1])) + 1e-8)
    stepped = jax.tree.map(step, state[name], first, second)
    return {**state, name: stepped, "memory": {**state["memory"], name: (first, second, powers)}}


def descend(state, name, loss, rate):
    value, gradients = jax.value_and_grad(loss)(state[name])
    return apply_gradients(state, name, gradients, rate), value


def track(networks, targets):
    return jax.tree.map(lambda network, target: TAU * network + (1 - TAU) * target, networks, targets)


class Td3Bc:
    rate = 3e-4

    def draw_chance(self, chance, batch):
        """Standard normal noise for the target's action, [batch, 3]."""
        return (chance.standard_normal((batch, ACTIONS), dtype=numpy.float32),)

    def begin(self, chance):
        critic = lambda: make_layers(chance, [OBSERVATIONS + ACTIONS, *HIDDEN, 1])
        actor, critics = make_layers(chance, [OBSERVATIONS, *HIDDEN, ACTIONS]), [critic(), critic()]
        return begin({"actor": actor, "critics": critics}, actor_target=actor, critic_targets=critics)

    def critic_loss(self, state, batch):
        observations, actions, rewards, following, continues, normal = batch
        noise = jnp.clip(0.2 * normal, -0.5, 0.5)
        smoothed = jnp.clip(act(state["actor_target"], following) + noise, -1, 1)
        target = rewards + DISCOUNT * continues * lesser(state["critic_targets"], following, smoothed)
        return lambda critics: sum(((value_of(each, observations, actions) - target) ** 2).mean() for each in critics)

    def actor_loss(self, state, batch):
        observations, actions = batch[:2]

        def loss(actor):
            chosen = act(actor, observations)
            values = value_of(state["critics"][0], observations, chosen)
            scale = jax.lax.stop_gradient(jnp.abs(values).mean())
            return -2.5 * values.mean() / scale + ((chosen - actions) ** 2).mean()

        return loss

    def update(self, state, batch):
        state, loss = descend(state, "critics", self.critic_loss(state, batch), self.rate)
        state, _ = descend(state, "actor", self.actor_loss(state, batch), self.rate)
        targets = {
            "actor_target": track(state["actor"], state["actor_target"]),
            "critic_targets": track(state["critics"], state["critic_targets"]),
        }
        return {**state, **targets}, loss


class Iql:
    rate = 3e-4

    def draw_chance(self, chance, batch):
        return ()

    def begin(self, chance):
        critic = lambda: make_layers(chance, [OBSERVATIONS + ACTIONS, *HIDDEN, 1])
        actor, value = (make_layers(chance, [OBSERVATIONS, *HIDDEN, outputs]) for outputs in (ACTIONS, 1))
        critics = [critic(), critic()]
        return begin({"actor": actor, "value": value, "critics": critics}, critic_targets=critics)

    def value_loss(self, state, batch):
        observations, actions = batch[:2]
        values = lesser(state["critic_targets"], observations, actions)

        def loss(value):
            above = values - forward(value, observations)
            return jnp.mean(jnp.where(above > 0, 0.7, 0.3) * above**2)

        return loss

    def actor_loss(self, state, batch):
        observations, actions = batch[:2]
        advantage = lesser(state["critic_targets"], observations, actions) - forward(state["value"], observations)
        weights = jnp.exp(jnp.clip(3 * advantage, -1e3, numpy.log(100)))
        return lambda actor: jnp.mean(weights * (act(actor, observations) - actions) ** 2)

    def critic_loss(self, state, batch):
        observations, actions, rewards, following, continues = batch
        target = rewards + DISCOUNT * continues * forward(state["value"], following)
        return lambda critics: sum(((value_of(each, observations, actions) - target) ** 2).mean() for each in critics)

    def update(self, state, batch):
        state, _ = descend(state, "value", self.value_loss(state, batch), self.rate)
        state, _ = descend(state, "actor", self.actor_loss(state, batch), self.rate)
        state, loss = descend(state, "critics", self.critic_loss(state, batch), self.rate)
        return {**state, "critic_targets": track(state["critics"], state["critic_targets"])}, loss


class Cql:
    rate, actor_rate = 3e-4, 1e-4

    def draw_chance(self, chance, batch):
        """Noise for the actor's actions now and next, [batch, 3], and of three kinds [10, batch, 3]: uniform actions,
        and noise for either."""
        normal = lambda *shape: chance.standard_normal((*shape, batch, ACTIONS), dtype=numpy.float32)
        uniform = chance.uniform(-1, 1, (DRAWN, batch, ACTIONS)).astype(numpy.float32)
        return normal(), normal(), uniform, normal(DRAWN), normal(DRAWN)

    def begin(self, chance):
        critic = lambda: make_layers(chance, [OBSERVATIONS + ACTIONS, *HIDDEN, 1])
        actor, critics = make_layers(chance, [OBSERVATIONS, *HIDDEN, 2 * ACTIONS]), [critic(), critic()]
        return begin({"actor": actor, "critics": critics, "temperature": jnp.zeros(())}, critic_targets=critics)

    def sample(self, actor, observations, noise):
        """Actions of a squashed Gaussian policy with the logarithms of their densities (Haarnoja et al. 2018)."""
        means, deviations = jnp.split(forward(actor, observations), 2, -1)
        deviations = jnp.clip(deviations, -20, 2)
        actions = jnp.tanh(means + jnp.exp(deviations) * noise)
        gaussian = -0.5 * noise**2 - 0.5 * numpy.log(2 * numpy.pi)
        squashing = jnp.log(1 + 1e-6 - actions**2)
        return actions, (gaussian - deviations - squashing).sum(-1, keepdims=True)

    def temperature_loss(self, state, batch):
        _, densities = self.sample(state["actor"], batch[0], batch[5])
        lacking = densities.mean() - ACTIONS
        return lambda logarithm: -jnp.exp(logarithm) * lacking

    def actor_loss(self, state, batch):
        observations, noise = batch[0], batch[5]

        def loss(actor):
            actions, densities = self.sample(actor, observations, noise)
            return jnp.mean(jnp.exp(state["temperature"]) * densities - lesser(state["critics"], observations, actions))

        return loss

    def critic_loss(self, state, batch):
        observations, actions, rewards, following, continues, _, next_noise, uniform, noise_now, noise_next = batch
        next_actions, _ = self.sample(state["actor"], following, next_noise)
        target = rewards + DISCOUNT * continues * lesser(state["critic_targets"], following, next_actions)
        now, now_densities = self.sample(state["actor"], jnp.broadcast_to(observations, (DRAWN, *observations.shape)), noise_now)
        then, then_densities = self.sample(state["actor"], jnp.broadcast_to(following, (DRAWN, *following.shape)), noise_next)
        candidates = jnp.concatenate([uniform, now, then])
        flat = jnp.full((DRAWN, *rewards.shape), -ACTIONS * numpy.log(2.0))
        densities = jnp.concatenate([flat, now_densities, then_densities])
        seen = jnp.broadcast_to(observations, (3 * DRAWN, *observations.shape))

        def loss_of(critic):
            values = value_of(critic, observations, actions)
            weighed = jax.scipy.special.logsumexp(value_of(critic, seen, candidates) - densities, axis=0)
            return ((values - target) ** 2).mean() + 5 * (weighed.mean() - values.mean())

        return lambda critics: sum(loss_of(critic) for critic in critics)

    def update(self, before, batch):
        state, _ = descend(before, "temperature", self.temperature_loss(before, batch), self.actor_rate)
        state, _ = descend(state, "actor", self.actor_loss(before, batch), self.actor_rate)
        state, loss = descend(state, "critics", self.critic_loss(before, batch), self.rate)
        return {**state, "critic_targets": track(state["critics"], state["critic_targets"])}, loss


ALGORITHMS = {"td3_bc": Td3Bc, "iql": Iql, "cql": Cql}
