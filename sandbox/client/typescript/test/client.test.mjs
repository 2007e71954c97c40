// Runs against the service at SANDBOX_URL.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, SandboxError } from "verdict-sandbox";

const client = new Client();
const double = "print(int(input()) * 2)";

test("a program runs", async () => {
  const result = await client.execute({ language: "python", code: "print(input())", stdin: "é" });
  assert.equal(result.status, "ok");
  assert.equal(result.stdout, "é\n");
});

test("a program is judged, and a batch keeps its order", async () => {
  const tests = [{ stdin: "2", expected: "4" }];
  assert.equal((await client.verify({ language: "python", code: double, tests })).verdict, "accepted");
  const codes = ["print(5)", double];
  const results = await client.verifyBatch(codes.map((code) => ({ language: "python", code, tests })));
  assert.deepEqual(results.map((result) => result.verdict), ["wrong_answer", "accepted"]);
});

test("completions are rewarded", async () => {
  const completions = ["```python\nprint(4)\n```", "No idea."];
  const result = await client.reward({ completions, tests: [[{ stdin: "2", expected: "4" }]], policy: "fraction" });
  assert.deepEqual(result.rewards, [1, 0]);
});

test("a job is queued and awaited", async () => {
  const job = await client.submit("execute", { language: "python", code: "print(1)" });
  const ended = await client.wait(job.id);
  assert.equal(ended.status, "finished");
  assert.equal(ended.result.stdout, "1\n");
});

test("an error names its field", async () => {
  await assert.rejects(client.execute({ language: "python", cod: "1" }), (error) => {
    assert.ok(error instanceof SandboxError);
    assert.equal(error.status, 422);
    assert.match(error.field, /^body\.cod/);
    return true;
  });
});

test("a call ends after its timeout", async () => {
  const slow = { language: "python", code: "import time; time.sleep(30)" };
  await assert.rejects(client.execute(slow, { timeoutMs: 200 }), { name: "TimeoutError" });
});
