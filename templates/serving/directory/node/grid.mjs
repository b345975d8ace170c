// The grid of a pair in Node: node grid.mjs [source.f32 target.f32 label]; the files hold raw little-endian float32.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.env.ORT_DISABLE_TELEMETRY = "1"; // read when it is loaded: no queue of events on disk, no upload
const { default: ort } = await import("onnxruntime-node");

const file = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const manifest = JSON.parse(readFileSync(file("manifest.json"), "utf8"));
const shape = [1, ...manifest.sample_shape];
const size = shape.reduce((a, b) => a * b);
const [sourcePath, targetPath, label] = process.argv.slice(2);
const sample = (path) => {
  if (!path) return Float32Array.from({ length: size }, Math.random); // only shows the call
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
};
const whole = (value) => new ort.Tensor("int64", BigInt64Array.of(BigInt(value)), [1]);

const session = await ort.InferenceSession.create(file("grid.onnx"));
const { cells, measured, probabilities } = await session.run({
  source: new ort.Tensor("float32", sample(sourcePath), shape),
  target: new ort.Tensor("float32", sample(targetPath), shape),
  label: whole(label ? manifest.classes.indexOf(label) : 0),
  loss: new ort.Tensor("float32", Float32Array.of(-1, -1), [1, 2]), // negative: measured by the classifier
  n_features: whole(5),
  n_losses: whole(5),
});
console.log(
  JSON.stringify({
    shape: cells.dims,
    cells: Array.from(cells.data),
    measured: Array.from(measured.data),
    probabilities: Array.from(probabilities.data),
  }),
);
