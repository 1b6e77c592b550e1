// SPDX-License-Identifier: Apache-2.0
// ajv.mjs - the other half of the comparison of JSON Schema: ajv's 2020-12. See schema_tool.c.
//
//   node ajv.mjs FOLDER <lines      the package is in FOLDER/node_modules
//
// Valid or not must be the same for each value. What is wrong must be the same as far as it can be: all that we
// tell they tell, and where the schema has no word that tries others, the other way round, too. They call
// a schema that is false "false schema", of uniqueItems they tell only where the items' types are right, and they tell of items beyond prefixItems once for the list. What they note for
// unevaluatedProperties goes wrong for some schemas, with a TypeError of their own; and of an empty list in a value they
// say that it contains what the list before it did ({additionalProperties: {contains: {required: ["a"]}}} takes
// {a: [{a: 1}], b: []}). Such values are counted, and not compared.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(`${process.argv[2]}/package.json`)
const Ajv = require('ajv/dist/2020').default
const tries = /"(anyOf|oneOf|not|contains|propertyNames|if)":/
let schemas = 0, valid = 0, invalid = 0, wrong = 0, stumbled = 0, empty = 0

function theirs(validate, value) {
  if (validate(value)) return []
  return validate.errors.filter(e => e.keyword !== 'if')
    .map(e => `${e.instancePath} ${e.keyword === 'false schema' ? 'false' : e.keyword}`)
}

function differs(text, validate, { value, wrong: ours }) {
  const other = theirs(validate, value)
  if ((ours.length === 0) !== (other.length === 0)) return 'a verdict'
  if (ours.some(e => e.endsWith(' false')) || other.some(e => e.endsWith(' items'))) return null
  if (ours.some(e => !other.includes(e) && !e.endsWith(' uniqueItems'))) return 'we tell what they do not'
  if (!tries.test(text) && other.some(e => !ours.includes(e))) return 'they tell what we do not'
  return null
}

for await (const line of createInterface({ input: process.stdin })) {
  const { seed, schema, cases } = JSON.parse(line)
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false })
  const validate = ajv.compile(schema), text = JSON.stringify(schema)
  schemas++
  for (const one of cases) {
    let what
    if (text.includes('"contains":') && JSON.stringify(one.value).includes('[]')) {
      empty++
      continue
    }
    try {
      what = differs(text, validate, one)
    } catch (e) {
      if (!(e instanceof TypeError)) throw e
      stumbled++
      continue
    }
    if (one.wrong.length) invalid++
    else valid++
    if (what && ++wrong <= 10)
      console.log(`FAIL seed ${seed}: ${what}\n  schema ${text}\n  value  ${JSON.stringify(one.value)}\n` +
        `  ours   ${JSON.stringify(one.wrong)}\n  theirs ${JSON.stringify(theirs(validate, one.value))}`)
  }
}
console.log(`ajv: ${schemas} schemas, ${valid} values valid, ${invalid} not, ${wrong} judged differently, ${stumbled} that ajv stumbled over, ` +
  `${empty} with an empty list where contains is`)
process.exit(wrong || stumbled > valid / 20 ? 1 : 0)
