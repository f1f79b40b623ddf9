// Runs asl-validator over the project's definitions: infra/statemachines/*.asl.json, and those of the cases of
// layers/states, but for the few that it is known not to know.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [root, home] = process.argv.slice(2);
const validate = createRequire(join(home, "index.js"))("asl-validator");
const found = [];

const machines = join(root, "infra/statemachines");
for (const file of existsSync(machines) ? readdirSync(machines) : []) {
  if (file.endsWith(".asl.json")) found.push([file, JSON.parse(readFileSync(join(machines, file), "utf8"))]);
}
const cases = join(root, "layers/states/tests/cases");
for (const file of readdirSync(cases)) {
  for (const entry of JSON.parse(readFileSync(join(cases, file), "utf8"))) {
    found.push([`${file}: ${entry.name}`, entry.definition]);
  }
}

// Resources of the cases are short names; the validator wants ARNs.
const named = (text) => text.replaceAll(/"Resource":"(r|work|flaky)"/g, '"Resource":"arn:aws:states:::lambda:invoke"');
// What the validator does not know, and Step Functions or the specification does.
const UNKNOWN = new Map([
  ["FLATTEN without an object", "a result writer may have WriterConfig alone"],
  ["literals", "null, true and decimals as arguments of intrinsic functions"],
  ["a sum of texts", "a text as an argument that has to be a number; it fails when it is run"],
  ["all five in their order", "two names in one bracket of a path"],
  ["a path to one place gives the value, another an array", ".length() at the end of a path"],
]);
let refused = 0;
let passed_over = 0;
for (const [name, definition] of found) {
  const { isValid, errors } = validate(JSON.parse(named(JSON.stringify(definition))));
  if (UNKNOWN.has(name.split(": ").slice(1).join(": "))) {
    passed_over += 1;
    if (isValid) {
      console.error(`${name}: it is valid now; take it off the list`);
      refused += 1;
    }
    continue;
  }
  if (isValid) continue;
  refused += 1;
  console.error(`${name}:`);
  for (const error of errors.slice(0, 4)) console.error(`  ${error["Error code"]}: ${error.Message ?? ""} ${error.path ?? ""}`);
}
console.log(`asl-validator: ${found.length - refused} of ${found.length} definitions are valid, ${passed_over} of them passed over`);
process.exit(refused === 0 ? 0 : 1);
