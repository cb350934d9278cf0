// `node node_service.mjs PORT`: scores a row in 40 to 50 ms.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const OPENAPI = readFileSync(new URL("openapi.json", import.meta.url));
const KEY = process.env.SCORE_API_KEY ?? "";

function answer(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

function score(body) {
  const total = JSON.parse(body).row.reduce((sum, value) => sum + value, 0);
  return JSON.stringify({ score: Math.min(Math.max(total / 100, 0), 1) });
}

createServer((request, response) => {
  if (request.url === "/openapi.json") return answer(response, 200, OPENAPI);
  if (request.headers["x-api-key"] !== KEY) return answer(response, 401, "{}");
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => setTimeout(() => answer(response, 200, score(Buffer.concat(chunks))), 40 + 10 * Math.random()));
}).listen(Number(process.argv[2]), "127.0.0.1");
