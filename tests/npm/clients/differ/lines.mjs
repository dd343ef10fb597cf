// A case a line from standard input, an answer a line to standard output; an error is an answer.
import { readFileSync } from "node:fs";

export function answer(to) {
  const lines = readFileSync(0, "utf8").split("\n").filter((line) => line !== "");
  const answers = lines.map((line) => {
    try {
      return to(JSON.parse(line));
    } catch (error) {
      return { error: String(error.shortMessage ?? error.message ?? error) };
    }
  });
  process.stdout.write(answers.map((it) => `${JSON.stringify(it)}\n`).join(""));
}
