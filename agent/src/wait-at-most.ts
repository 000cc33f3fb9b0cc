/** Resolves with the promise's value, or with undefined when it has rejected or taken longer than `seconds`. */
export function waitAtMost<T>(promise: Promise<T>, seconds: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), seconds * 1000);
    const end = (value: T | undefined): void => {
      clearTimeout(timer);
      resolve(value);
    };
    promise.then(end, () => end(undefined));
  });
}
