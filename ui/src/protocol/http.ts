/** Requests of the API, relative to the page, so that they work behind a path prefix. */

/** Nobody is let in: the token is missing, wrong or forgotten. */
export class Unauthorized extends Error {}

/** The server answered with an error; `message` is its sentence. */
export class Refused extends Error {
  constructor(message: string, readonly status: number) {
    super(message);
  }
}

/** The address of `path` of the API for the page at `page`. */
export function address(path: string, page: string): URL {
  return new URL(`api/v1/${path}`, page);
}

/** The address of the feed for the page at `page`: `wss` where the page has `https`. */
export function feedAddress(page: string): string {
  const url = address("stream", page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** The token in the fragment of an address (`#t=TOKEN`), or null. */
export function tokenOf(fragment: string): string | null {
  return new URLSearchParams(fragment.replace(/^#/, "")).get("t");
}

/** Changes the token for a cookie that scripts can not read; raises Unauthorized, Refused. */
export async function openSession(token: string): Promise<void> {
  const answer = await fetch(address("session", document.baseURI), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
    credentials: "same-origin",
  });
  if (!answer.ok) await raise(answer);
}

/** GETs `path` with the parameters that are not empty; raises Unauthorized, Refused. */
export async function get<T>(
  path: string,
  parameters: Record<string, string | number> = {},
  signal: AbortSignal | null = null,
): Promise<T> {
  const url = address(path, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== "") url.searchParams.set(name, String(value));
  }
  const answer = await fetch(url, { credentials: "same-origin", signal });
  if (!answer.ok) await raise(answer);
  return (await answer.json()) as T;
}

async function raise(answer: Response): Promise<never> {
  if (answer.status === 401) throw new Unauthorized();
  let said = "";
  try {
    said = String(((await answer.json()) as { error?: unknown }).error ?? "");
  } catch {
    // The answer of something between us and the server: its status has to do.
  }
  throw new Refused(said || `the server answered ${answer.status}`, answer.status);
}
