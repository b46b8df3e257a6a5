// The feature store from TypeScript: plain fetch, no library. Node 18 or newer, Deno, Bun, or a browser.
const url = process.env.COLONY_URL ?? "http://127.0.0.1:8080";
const token = process.env.COLONY_TOKEN; // of `colony tokens create`; none on loopback

async function call(method: string, path: string, body?: unknown): Promise<any> {
  const answer = await fetch(`${url}/api/mlops/features/${path}`, {
    method,
    headers: { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status} ${told.field ?? ""}: ${told.detail}. ${told.mend ?? ""}`);
  return told;
}

const features = {
  defineFeature: (definition: object) => call("POST", "define", definition),
  storeFeatures: (values: object[]) => call("POST", "store", { values }),
  getFeature: (entityId: string, name: string) => call("GET", `${encodeURIComponent(entityId)}/${name}`),
  getFeatures: async (entityId: string, names: string[]) =>
    (await call("POST", "batch", { entityId, featureNames: names })).entities[0].features,
  getFeaturesForTraining: (entityIds: string[], names: string[], options: object) =>
    call("POST", "training", { entityIds, featureNames: names, ...options }),
};

await features.defineFeature({
  name: "reading_ease", entity: "content", type: "number", source: "ingested", ttl: "90d",
  description: "How easily the content reads, 0 to 100.",
});
// `timestamp` is when a value became true (default: now); history also says when it became known (default: now).
await features.storeFeatures([
  { entityId: "c/1017", featureName: "reading_ease", value: 61.5, timestamp: "2025-01-05T00:00:00Z", knownAt: "2025-01-05T00:00:00Z" },
  { entityId: "c/1017", featureName: "reading_ease", value: 64.0, timestamp: "2025-01-09T00:00:00Z", knownAt: "2025-01-09T00:00:00Z" },
  { entityId: "c/1018", featureName: "reading_ease", value: 40.0 },
]);

console.log(JSON.stringify((await features.getFeature("c/1017", "reading_ease")).status)); // "EXPIRED": older than its ttl
console.log(JSON.stringify((await features.getFeatures("c/1018", ["reading_ease"])).reading_ease.value)); // 40
const { rows } = await features.getFeaturesForTraining(["c/1017", "c/1018"], ["reading_ease"], {
  snapshotTime: "2025-01-06T00:00:00Z",
});
console.log(JSON.stringify(rows.map((row: any) => row.features.reading_ease))); // [61.5,null]: what was known then
