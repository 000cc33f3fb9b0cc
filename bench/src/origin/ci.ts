import type { Origin } from "@fleetmark/shared/model/result";

/** What build services tell of what they build. To add one, add a line. */

export type Environment = Readonly<Record<string, string | undefined>>;

interface CiService {
  readonly name: string;
  /** Is set where the service runs, and nowhere else. */
  readonly marker: string;
  readonly commit: string;
  /** The first of these that is set: the branch of a pull request before the name of the ref that is built for it. */
  readonly branch: readonly string[];
  readonly person: readonly string[];
}

const services: readonly CiService[] = [
  {
    name: "GitHub Actions",
    marker: "GITHUB_SHA",
    commit: "GITHUB_SHA",
    branch: ["GITHUB_HEAD_REF", "GITHUB_REF_NAME"],
    person: ["GITHUB_ACTOR"],
  },
  {
    name: "GitLab CI",
    marker: "CI_COMMIT_SHA",
    commit: "CI_COMMIT_SHA",
    branch: ["CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"],
    person: ["GITLAB_USER_LOGIN"],
  },
  {
    name: "Buildkite",
    marker: "BUILDKITE_COMMIT",
    commit: "BUILDKITE_COMMIT",
    branch: ["BUILDKITE_BRANCH"],
    person: ["BUILDKITE_BUILD_CREATOR", "BUILDKITE_BUILD_AUTHOR"],
  },
  {
    name: "Jenkins",
    marker: "GIT_COMMIT",
    commit: "GIT_COMMIT",
    branch: ["CHANGE_BRANCH", "BRANCH_NAME", "GIT_BRANCH"],
    person: ["CHANGE_AUTHOR", "BUILD_USER_ID"],
  },
];

function readFirst(environment: Environment, names: readonly string[]): string | undefined {
  return names.map((name) => environment[name]?.trim()).find((value) => value !== undefined && value !== "");
}

function findService(environment: Environment): CiService | undefined {
  return services.find(({ marker }) => readFirst(environment, [marker]) !== undefined);
}

/** Returns the commit and the branch that a build service says it builds; nothing outside of one. */
export function readCiOrigin(environment: Environment): Pick<Origin, "commit" | "branch"> {
  const service = findService(environment);
  if (service === undefined) return {};
  const [commit, branch] = [readFirst(environment, [service.commit]), readFirst(environment, service.branch)];
  return { ...(commit === undefined ? {} : { commit }), ...(branch === undefined ? {} : { branch }) };
}

/** Returns who asked for this run: whom the build service names, else the user of this process. */
export function readPerson(environment: Environment): string {
  const service = findService(environment);
  return readFirst(environment, [...(service?.person ?? []), "USER", "LOGNAME", "USERNAME"]) ?? "unknown";
}
