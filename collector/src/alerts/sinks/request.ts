/** A request that has not been answered by then has failed, milliseconds. */
const patienceMs = 10_000;
/** What of an answer is read to say why something was refused. */
const longestReason = 300;

async function readReason(answer: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of answer.body ?? []) {
    text += decoder.decode(part, { stream: true });
    if (text.length >= longestReason) break;
  }
  return text.slice(0, longestReason);
}

/**
 * Posts a text and waits until it was taken. Redirects are not followed: a secret would travel with them.
 * @throws Error when it can't be reached, does not answer in time, or answers anything but 2xx
 */
export async function post(url: string, body: string, headers: Readonly<Record<string, string>>): Promise<void> {
  const answer = await fetch(url, { method: "POST", body, headers, redirect: "error", signal: AbortSignal.timeout(patienceMs) });
  const reason = await readReason(answer);
  if (!answer.ok) throw new Error(`it answered ${answer.status}: ${reason}`);
}
