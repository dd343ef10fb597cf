// What a person does with age (typage, by age's author): `age.mjs keygen` makes a post-quantum identity, `age.mjs open IDENTITY FILE`
// decrypts a file to the standard output.
import { readFileSync } from "node:fs";
import { Decrypter, generateHybridIdentity, identityToRecipient } from "age-encryption";

const [verb, identity, file] = process.argv.slice(2);
if (verb === "keygen") {
  const made = await generateHybridIdentity();
  console.log(JSON.stringify({ identity: made, recipient: await identityToRecipient(made) }));
} else {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  process.stdout.write(await decrypter.decrypt(readFileSync(file), "text"));
}
