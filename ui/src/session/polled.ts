/** What is asked by HTTP again and again while it is on the screen; not while paused or cut off. */
import { useEffect, useRef, useState } from "preact/hooks";

import { Refused, get } from "../protocol/http";
import { link, paused } from "./state";

export interface Polled<T> {
  data: T | null;
  error: string;
}

const PERIOD_MS = 2500;
/** What was refused once is most likely refused again. */
const AFTER_ERROR_MS = 10_000;

/** GETs `path` every 2.5 s. Parameters that change, or another path, are asked for at once. */
export function usePolled<T>(path: string, parameters: Record<string, string | number>): Polled<T> {
  const [answer, setAnswer] = useState<Polled<T> & { path: string }>({ data: null, error: "", path });
  const key = JSON.stringify(parameters);
  const quiet = paused.value || link.value.state !== "live";
  const asked = useRef("");
  useEffect(() => {
    const known = asked.current === path + key;
    if (quiet && known) return;
    asked.current = path + key;
    const aborter = new AbortController();
    let timer = 0;
    const ask = async (): Promise<void> => {
      let pause = PERIOD_MS;
      try {
        const data = await get<T>(path, parameters, aborter.signal);
        setAnswer({ data, error: "", path });
      } catch (error) {
        if (aborter.signal.aborted) return;
        const text = error instanceof Refused ? error.message : "The server does not answer.";
        pause = AFTER_ERROR_MS;
        setAnswer((before) => ({ data: before.path === path ? before.data : null, error: text, path }));
      }
      if (!quiet) timer = window.setTimeout(() => void ask(), pause);
    };
    void ask();
    return () => {
      aborter.abort();
      clearTimeout(timer);
    };
  }, [path, key, quiet]);
  return answer.path === path ? answer : { data: null, error: "" };
}
