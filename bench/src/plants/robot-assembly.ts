import { makeActionSpace, makeObservationSpace, scaleAction, unscaleAction } from "./actuators.js";
import type { Plant } from "./plant.js";

/**
 * RobotAssembly-v0: an arm of seven joints puts a peg into a chamfered hole. Units: seconds, metres, radians, newtons.
 *
 * - Kinematics: those of the Franka Emika Panda, by its published Denavit-Hartenberg parameters in Craig's convention
 *   (Craig 2005, "Introduction to Robotics", chapter 3) and its joint limits, with a peg on its flange.
 * - Joints: driven by velocity, each with a lag and an effective inertia through which contact pushes back by the
 *   transpose of the Jacobian (Craig, chapter 5). Gravity is compensated; what joints do to each other by inertia is
 *   left out.
 * - Contact: the elastic potential of how deep the peg's tip is below the surface, which falls into the hole along a
 *   smooth chamfer: a simplified form of compliant assembly as in Whitney 1982, "Quasi-static assembly of compliantly
 *   supported rigid parts".
 */
export const robotParameters = {
  joints: 7,
  /** Denavit-Hartenberg: lengths and offsets, m; twists, rad. */
  lengths: [0, 0, 0, 0.0825, -0.0825, 0, 0.088],
  offsets: [0.333, 0, 0.316, 0, 0.384, 0, 0],
  twists: [0, -Math.PI / 2, Math.PI / 2, Math.PI / 2, -Math.PI / 2, Math.PI / 2, Math.PI / 2],
  /** From the last joint to the flange, and the peg, m. */
  flange: 0.107,
  peg: 0.2,
  /** Limits of the joints, rad and rad/s. */
  lowest: [-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973],
  highest: [2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973],
  fastest: [2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61],
  /** What the joints may be told, as a share of that. */
  commanded: 0.2,
  /** Lag of the velocity loops, s; effective inertias, kg m2. */
  jointLag: 0.05,
  inertias: [1.5, 1.5, 1, 1, 0.3, 0.3, 0.1],
  /** Where the arm begins, rad: over the hole, the peg straight down. */
  home: [0, -Math.PI / 4, 0, (-3 * Math.PI) / 4, 0, Math.PI / 2, Math.PI / 4],
  /** How far above the surface the tip begins, and how deep the hole is, m. */
  height: 0.06,
  depth: 0.03,
  /** Radius and width of the chamfer, m; stiffness of what touches, N/m; the most that it gives way, m. */
  radius: 0.008,
  chamfer: 0.003,
  stiffness: 2e4,
  deepest: 0.01,
  /** Where the tip is wanted, m below the surface. */
  goal: 0.02,
} as const;

const p = robotParameters;
const joints = p.joints;
const sines = p.twists.map((twist) => Math.round(Math.sin(twist)));
const cosines = p.twists.map((twist) => Math.round(Math.cos(twist)));

/** Indices into the state: joints' angles and velocities, then how far the hole lies from where it should. */
const angle = 0;
const velocity = joints;
const holeX = 2 * joints;
const holeY = holeX + 1;
const stateLength = holeY + 1;

/** Indices into the observation. */
const [tip, contact] = [2 * joints, 2 * joints + 3];
const [depthSeen, clearance, forceSeen, tilt] = Array.from({ length: 4 }, (_, i) => 2 * joints + 6 + i);

/** Where the arm is at an angle of each joint. Reused: read it before the next pose is computed. */
export interface Pose {
  /** Axes and origins of the joints, three numbers each. */
  readonly axes: Float64Array;
  readonly origins: Float64Array;
  readonly tip: Float64Array;
}

function createPose(): Pose {
  return { axes: new Float64Array(3 * joints), origins: new Float64Array(3 * joints), tip: new Float64Array(3) };
}

const frameX = new Float64Array(3);
const frameY = new Float64Array(3);
const frameZ = new Float64Array(3);

/** Writes where joints and tip are, by the product of the links' transforms (Craig, eq. 3.6). */
export function computePose(angles: ArrayLike<number>, pose: Pose): Pose {
  const { axes, origins, tip: end } = pose;
  frameX.fill(0)[0] = 1;
  frameY.fill(0)[1] = 1;
  frameZ.fill(0)[2] = 1;
  end.fill(0);
  for (let joint = 0; joint < joints; joint++) {
    const [sineTwist, cosineTwist] = [sines[joint], cosines[joint]];
    const sine = Math.sin(angles[joint]);
    const cosine = Math.cos(angles[joint]);
    for (let k = 0; k < 3; k++) {
      const x = frameX[k];
      const y = cosineTwist * frameY[k] + sineTwist * frameZ[k];
      const z = cosineTwist * frameZ[k] - sineTwist * frameY[k];
      frameX[k] = cosine * x + sine * y;
      frameY[k] = cosine * y - sine * x;
      frameZ[k] = z;
      end[k] += p.lengths[joint] * x + p.offsets[joint] * z;
      axes[3 * joint + k] = z;
      origins[3 * joint + k] = end[k];
    }
  }
  for (let k = 0; k < 3; k++) end[k] += (p.flange + p.peg) * frameZ[k];
  return pose;
}

const pose = createPose();
const force = new Float64Array(3);
const home = computePose(p.home, createPose()).tip;
/** The surface that the hole is in. */
const surfaceZ = home[2] - p.height;

/** Writes the force on the peg's tip: the gradient of its elastic potential, less than none nowhere. */
export function computeContact(x: number, y: number, z: number, out: Float64Array): Float64Array {
  const off = Math.sqrt(x * x + y * y);
  const inside = Math.tanh((p.radius - off) / p.chamfer);
  const surface = (-p.depth / 2) * (1 + inside);
  const pressed = Math.min(p.deepest, Math.max(0, surface - z));
  const slope = (p.depth / (2 * p.chamfer)) * (1 - inside * inside);
  const inward = off > 1e-9 ? (-p.stiffness * pressed * slope) / off : 0;
  out[0] = inward * x;
  out[1] = inward * y;
  out[2] = p.stiffness * pressed;
  return out;
}

function computeForce(state: Float64Array, { tip: end }: Pose): Float64Array {
  return computeContact(end[0] - home[0] - state[holeX], end[1] - home[1] - state[holeY], end[2] - surfaceZ, force);
}

/** Returns one component of how the tip moves with a joint, m/rad. */
function readJacobian({ axes, origins, tip: end }: Pose, joint: number, component: number): number {
  const [next, last] = [(component + 1) % 3, (component + 2) % 3];
  const at = 3 * joint;
  return axes[at + next] * (end[last] - origins[at + last]) - axes[at + last] * (end[next] - origins[at + next]);
}

function rangeOf(joint: number): { low: number; high: number } {
  return { low: -p.commanded * p.fastest[joint], high: p.commanded * p.fastest[joint] };
}
const ranges = Array.from({ length: joints }, (_, joint) => rangeOf(joint));

/** Writes how joints move: towards the velocity that is commanded, and as contact pushes them. */
function computeRates(state: Float64Array, action: Float64Array, rates: Float64Array): void {
  computePose(state, pose);
  const push = computeForce(state, pose);
  for (let joint = 0; joint < joints; joint++) {
    let torque = 0;
    for (let k = 0; k < 3; k++) torque += readJacobian(pose, joint, k) * push[k];
    rates[angle + joint] = state[velocity + joint];
    rates[velocity + joint] =
      (scaleAction(action[joint], ranges[joint]) - state[velocity + joint]) / p.jointLag + torque / p.inertias[joint];
  }
  rates[holeX] = 0;
  rates[holeY] = 0;
}

/** A joint at its end stays there. */
function projectState(state: Float64Array): void {
  for (let joint = 0; joint < joints; joint++) {
    const [low, high] = [p.lowest[joint], p.highest[joint]];
    if (state[angle + joint] <= low || state[angle + joint] >= high) {
      state[angle + joint] = Math.min(Math.max(state[angle + joint], low), high);
      state[velocity + joint] = 0;
    }
    const fastest = p.fastest[joint];
    state[velocity + joint] = Math.min(Math.max(state[velocity + joint], -fastest), fastest);
  }
  state[holeX] = Math.min(Math.max(state[holeX], -0.02), 0.02);
  state[holeY] = Math.min(Math.max(state[holeY], -0.02), 0.02);
}

function observe(state: Float64Array, observation: Float64Array): void {
  const { axes, origins, tip: end } = computePose(state, pose);
  for (let i = 0; i < holeX; i++) observation[i] = state[i];
  observation[tip] = end[0] - home[0] - state[holeX];
  observation[tip + 1] = end[1] - home[1] - state[holeY];
  observation[tip + 2] = end[2] - surfaceZ;
  const push = computeForce(state, pose);
  observation.set(push, contact);
  observation[depthSeen] = Math.max(0, -observation[tip + 2]);
  const last = 3 * (joints - 1);
  const flangeZ = origins[last + 2] + p.flange * axes[last + 2];
  observation[clearance] = Math.min(flangeZ, origins[3 * 3 + 2], origins[3 * 4 + 2]) - surfaceZ;
  observation[forceSeen] = Math.sqrt(push[0] * push[0] + push[1] * push[1] + push[2] * push[2]);
  observation[tilt] = Math.acos(Math.min(1, Math.max(-1, -axes[last + 2])));
}

/** Less the distance to the goal, scaled to 1 at 5 cm, the tilt at 0.2 rad and the force at 50 N. */
function computeReward(observation: Float64Array, _: Float64Array): number {
  const x = observation[tip] / 0.05;
  const y = observation[tip + 1] / 0.05;
  const z = (observation[tip + 2] + p.goal) / 0.05;
  const leaning = observation[tilt] / 0.2;
  return 1 - Math.min(2, x * x + y * y + z * z) - 0.2 * Math.min(2, leaning * leaning) - (0.2 * observation[forceSeen]) / 50;
}

const suggestedPose = createPose();

/**
 * The transpose of the Jacobian times what the tip and its axis lack (Wolovich & Elliott 1984, "A computational
 * technique for inverse kinematics"): first over the hole, then down.
 */
function suggestAction(observation: Float64Array, action: Float64Array): void {
  const { axes } = computePose(observation, suggestedPose);
  const [x, y, z] = [observation[tip], observation[tip + 1], observation[tip + 2]];
  const isOver = x * x + y * y < 0.004 * 0.004;
  const lift = (isOver ? -p.goal : 0.03) - z;
  const wanted = [-x, -y, Math.min(Math.max(lift, -0.01), 0.01)];
  const last = 3 * (joints - 1);
  // The peg's axis crossed with straight down: the turn that sets it upright.
  const [turnX, turnY] = [-axes[last + 1], axes[last]];
  for (let joint = 0; joint < joints; joint++) {
    let moved = 0;
    for (let k = 0; k < 3; k++) moved += readJacobian(suggestedPose, joint, k) * wanted[k];
    const turned = axes[3 * joint] * turnX + axes[3 * joint + 1] * turnY;
    action[joint] = unscaleAction(10 * moved + 2 * turned, ranges[joint]);
  }
}

const initialState = new Float64Array(stateLength);
initialState.set(p.home);
const initialDeviation = new Float64Array(stateLength);
initialDeviation.fill(0.01, angle, joints);

const jointNames = Array.from({ length: joints }, (_, joint) => `joint_${joint + 1}`);

export const robotAssembly: Plant = {
  id: "RobotAssembly-v0",
  description: "An arm of seven joints puts a peg into a chamfered hole (Craig; Franka Emika Panda; Whitney)",
  observationSpace: makeObservationSpace([
    ...jointNames.map((name, joint) => [`${name}_angle`, "rad", p.lowest[joint], p.highest[joint]] as const),
    ...jointNames.map((name, joint) => [`${name}_velocity`, "rad/s", -p.fastest[joint], p.fastest[joint]] as const),
    ["tip_x", "m", -3, 3],
    ["tip_y", "m", -3, 3],
    ["tip_z", "m", -3, 3],
    ["contact_x", "N", -2000, 2000],
    ["contact_y", "N", -2000, 2000],
    ["contact_z", "N", 0, 2000],
    ["insertion_depth", "m", 0, 3],
    ["clearance", "m", -3, 3],
    ["contact_force", "N", 0, 3000],
    ["tilt", "rad", 0, Math.PI],
  ]),
  actionSpace: makeActionSpace(jointNames.map((name) => `${name}_velocity_setpoint`)),
  interval: 0.02,
  substeps: 10,
  maxSteps: 1000,
  initialState,
  initialDeviation,
  disturbances: [
    { index: holeX, mean: 0, deviation: 5e-4, relaxation: 5 },
    { index: holeY, mean: 0, deviation: 5e-4, relaxation: 5 },
  ],
  constraints: [
    { name: "force", index: forceSeen, hardLow: -150, softLow: 0, softHigh: 50, hardHigh: 150 },
    { name: "collision", index: clearance, hardLow: 0, softLow: 0.05, softHigh: 2, hardHigh: 3 },
    ...jointNames.map((name, joint) => {
      const reach = 0.02 * (p.highest[joint] - p.lowest[joint]);
      return {
        name: `${name}_end`,
        index: angle + joint,
        hardLow: p.lowest[joint] - 1e-6,
        softLow: p.lowest[joint] + reach,
        softHigh: p.highest[joint] - reach,
        hardHigh: p.highest[joint] + 1e-6,
      };
    }),
  ],
  envelope: [{ name: "clearance", index: clearance, hardLow: -0.2, hardHigh: 3 }],
  actionRate: new Float64Array(joints).fill(0.3),
  fallbackAction: new Float64Array(joints),
  computeRates,
  projectState,
  observe,
  computeReward,
  suggestAction,
};
