/** A client of the sandbox service. The types of requests and answers are generated from its OpenAPI document. */

import type { components } from "./schema.js";

type Schemas = components["schemas"];

export type ExecuteRequest = Schemas["ExecuteSubmission"];
export type ExecuteResult = Schemas["ExecuteResult"];
export type VerifyRequest = Schemas["VerifySubmission"];
export type VerifyResult = Schemas["VerifyResult"];
export type VoteRequest = Schemas["VoteRequest"];
export type VoteResult = Schemas["VoteResult"];
export type RewardRequest = Schemas["RewardRequest"];
export type RewardResult = Schemas["RewardResult"];
export type Job = Schemas["Job"];
export type LanguageInfo = Schemas["LanguageInfo"];

/** Options of one call. A repeated call with the same `idempotencyKey` runs nothing twice. */
export interface CallOptions {
  idempotencyKey?: string;
  /** Milliseconds until the call fails, its retries included. */
  timeoutMs?: number;
}

export interface ClientOptions {
  /** URL of the service; default: the environment variable SANDBOX_URL, or else http://127.0.0.1:8080. */
  url?: string;
  /** API key; default: the environment variable SANDBOX_API_KEY. */
  apiKey?: string;
  timeoutMs?: number;
  /** Attempts of a request that the service refuses for now (429, 503), the first one included. */
  attempts?: number;
}

/** An error that the service reports. `type` is stable, such as `urn:sandbox:queue-full`. */
export class SandboxError extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
    readonly field: string,
  ) {
    super(message);
    this.name = "SandboxError";
  }
}

const RETRYABLE = new Set([429, 503]);
const FINAL = new Set(["finished", "cancelled", "failed"]);

export class Client {
  readonly url: string;
  readonly #apiKey: string;
  readonly #timeoutMs: number;
  readonly #attempts: number;

  constructor(options: ClientOptions = {}) {
    this.url = (options.url || process.env.SANDBOX_URL || "http://127.0.0.1:8080").replace(/\/+$/, "");
    this.#apiKey = options.apiKey ?? process.env.SANDBOX_API_KEY ?? "";
    this.#timeoutMs = options.timeoutMs ?? 900_000;
    this.#attempts = options.attempts ?? 6;
  }

  /** Run one program. */
  execute(request: ExecuteRequest, options?: CallOptions): Promise<ExecuteResult> {
    return this.#post("/execute", request, options);
  }

  /** Judge one program with its tests. */
  verify(request: VerifyRequest, options?: CallOptions): Promise<VerifyResult> {
    return this.#post("/verify", request, options);
  }

  /** Run many programs; the results have the same order. */
  async executeBatch(items: Schemas["ExecuteRequest"][], options?: CallOptions): Promise<ExecuteResult[]> {
    const answer = await this.#post<Schemas["ExecuteBatchResult"]>("/execute/batch", { items }, options);
    return answer.results;
  }

  /** Judge many programs; the results have the same order. */
  async verifyBatch(items: Schemas["VerifyRequest"][], options?: CallOptions): Promise<VerifyResult[]> {
    const answer = await this.#post<Schemas["VerifyBatchResult"]>("/verify/batch", { items }, options);
    return answer.results;
  }

  /** Label inputs by the majority of candidates. */
  vote(request: VoteRequest, options?: CallOptions): Promise<VoteResult> {
    return this.#post("/verify/vote", request, options);
  }

  /** Reward completions; a reward is null if the service failed or the tests are unusable. */
  reward(request: RewardRequest, options?: CallOptions): Promise<RewardResult> {
    return this.#post("/reward", request, options);
  }

  /** Queue a program to run or to judge, and return at once. */
  submit(kind: "execute", request: ExecuteRequest, options?: CallOptions): Promise<Job>;
  submit(kind: "verify", request: VerifyRequest, options?: CallOptions): Promise<Job>;
  submit(kind: string, request: unknown, options: CallOptions = {}): Promise<Job> {
    const idempotencyKey = options.idempotencyKey ?? crypto.randomUUID();
    return this.#post(`/${kind}`, request, { ...options, idempotencyKey }, { Prefer: "respond-async" });
  }

  /** Return the current state of a job. */
  job(id: string): Promise<Job> {
    return this.#send("GET", `/jobs/${encodeURIComponent(id)}`);
  }

  /** Cancel a job and stop its running programs. */
  cancel(id: string): Promise<Job> {
    return this.#send("DELETE", `/jobs/${encodeURIComponent(id)}`);
  }

  /** Wait until a job ends. */
  async wait(id: string, pollMs = 100): Promise<Job> {
    for (;;) {
      const job = await this.job(id);
      if (FINAL.has(job.status)) return job;
      await sleep(pollMs);
    }
  }

  /** Return the languages of the service. */
  languages(): Promise<LanguageInfo[]> {
    return this.#send("GET", "/languages");
  }

  #post<Answer>(path: string, body: unknown, options?: CallOptions, headers = {}): Promise<Answer> {
    return this.#send("POST", path, body, options, headers);
  }

  async #send<Answer>(
    method: string,
    path: string,
    body?: unknown,
    options: CallOptions = {},
    more: Record<string, string> = {},
  ): Promise<Answer> {
    const headers: Record<string, string> = { "Content-Type": "application/json", ...more };
    if (this.#apiKey) headers.Authorization = `Bearer ${this.#apiKey}`;
    if (options.idempotencyKey) headers["Idempotency-Key"] = options.idempotencyKey;
    const signal = AbortSignal.timeout(options.timeoutMs ?? this.#timeoutMs);
    for (let attempt = 1; ; attempt++) {
      const response = await fetch(this.url + path, { method, headers, signal, body: JSON.stringify(body) });
      if (response.ok) return (await response.json()) as Answer;
      if (!RETRYABLE.has(response.status) || attempt >= this.#attempts) throw await readError(response);
      // The jitter comes on top of Retry-After; otherwise all refused clients would return at the same instant.
      const pauseMs = 1_000 * Number(response.headers.get("retry-after") ?? 0) + Math.random() * 100 * 2 ** attempt;
      await response.body?.cancel();
      await sleep(pauseMs, signal);
    }
  }
}

async function readError(response: Response): Promise<SandboxError> {
  const text = await response.text();
  let problem: Partial<Schemas["Problem"]> = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // an error page of a proxy
  }
  const message = [problem.title ?? response.statusText, problem.detail].filter(Boolean).join(": ");
  return new SandboxError(response.status, problem.type ?? "about:blank", message, problem.errors?.[0]?.field ?? "");
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
