// Reads out of CDKTF's bindings what the resources that our modules use look like: names, types, what is required.
//
//   make cloud-schemas
//
// Prints JSON: {"provider", "version", "resources": {NAME: BLOCK}, "data": {NAME: BLOCK}}, where BLOCK is {"attributes": {NAME:
// {"type", "required" | "optional" | "computed"}}, "blocks": {NAME: {"nesting": "list" | "set" | "single", "max", "block"}}}.
// The bindings do not tell an attribute that is optional from one that is computed unless given; both are "optional" here.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [, , folder, ...names] = process.argv;
const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

const kinds = {
  string: "string", number: "number", boolean: "bool",
  stringMap: ["map", "string"], numberMap: ["map", "number"], booleanMap: ["map", "bool"],
  stringList: ["list", "string"], numberList: ["list", "number"],
};

function typeOf(entry) {
  const kind = kinds[entry.storage];
  if (kind === undefined) return null;
  if (Array.isArray(kind) && kind[0] === "list" && entry.type === "set") return ["set", kind[1]];
  return kind;
}

// The entries of the object literal that `start` stands before: `name: {`, then isBlock, type and storageClassType.
function entries(text) {
  const found = [];
  const pattern = /^\s{8,12}(\w+): \{\n\s+value: [^\n]*\n\s+isBlock: (true|false),\n\s+type: "(\w+)",\n\s+storageClassType: "([\w.]+)",/gm;
  for (const [, name, block, type, storage] of text.matchAll(pattern)) {
    found.push({ name, block: block === "true", type, storage });
  }
  return found;
}

// Names that must be given, by the declaration of an interface.
function declared(types, name) {
  const start = types.search(new RegExp(`export interface ${name} `));
  if (start < 0) return null;
  const body = types.slice(start, types.indexOf("\n}", start));
  const fields = {};
  for (const [, link, field, optional, type] of body.matchAll(/#(\w+) \w+#\w+\}[\s\S]*?readonly (\w+)(\?)?: ([^\n]+)/g)) {
    fields[link] = { field, required: optional === undefined, many: /\[\]/.test(type) };
  }
  return fields;
}

function blockOf(code, declarations, prefix, struct) {
  const start = struct === undefined ? code.indexOf("synthesizeHclAttributes() {") : code.indexOf(`function ${struct[0].toLowerCase()}${struct.slice(1)}ToHclTerraform(`);
  if (start < 0) throw new Error(`no ${struct ?? prefix}`);
  const end = struct === undefined ? code.length : code.indexOf("\n}\n", start);
  const fields = declared(declarations, struct ?? `${prefix}Config`) ?? {};
  const block = { attributes: {}, blocks: {} };
  for (const entry of entries(code.slice(start, end))) {
    const field = fields[entry.name] ?? { required: false, many: true };
    if (entry.block) {
      const inner = entry.storage.replace(/(List|Set|Map)$/, "");
      const single = entry.type === "struct";
      block.blocks[entry.name] = {
        nesting: single ? "single" : entry.type,
        ...(field.many || single ? {} : { max: 1 }),
        ...(field.required ? { min: 1 } : {}),
        block: blockOf(code, declarations, prefix, code.includes(`class ${inner}OutputReference`) ? inner : entry.storage),
      };
      continue;
    }
    const type = typeOf(entry);
    if (type === null) continue;
    const how = struct === undefined && (entry.name === "id" || entry.name === "tags_all") ? "computed" : field.required ? "required" : "optional";
    block.attributes[entry.name] = { type, [how]: true };
  }
  if (struct === undefined) {
    // Blocks' own classes come first; the resource's is the last.
    const own = code.slice(code.search(/class \w+ extends cdktf\.Terraform(Resource|DataSource)/));
    const computed = /\/\/ (\w+) - computed: true, optional: false, required: false\n\s+get \w+\(\) \{\n\s+return (?:cdktf\.Fn\.tolist\()?this\.get(String|Number|Boolean|List)Attribute/g;
    const types = { String: "string", Number: "number", Boolean: "bool", List: ["list", "string"] };
    for (const [, name, type] of own.matchAll(computed)) {
      block.attributes[name] ??= { type: types[type], computed: true };
    }
    block.attributes.id ??= { type: "string", computed: true };
  }
  return block;
}

const out = { provider: manifest.cdktf.provider.name, version: manifest.cdktf.provider.version, resources: {}, data: {} };
for (const name of names) {
  const data = name.startsWith("data.");
  const own = name.replace(/^data\./, "").replace(/^aws_/, "");
  const kebab = (data ? "data-aws-" : "") + own.replaceAll("_", "-");
  const path = join(folder, "lib", kebab);
  if (!existsSync(path)) throw new Error(`the bindings have no ${kebab}`);
  const code = readFileSync(join(path, "index.js"), "utf8");
  const types = readFileSync(join(path, "index.d.ts"), "utf8");
  const prefix = /export interface (\w+)Config extends cdktf\.TerraformMetaArguments/.exec(types)[1];
  out[data ? "data" : "resources"][name.replace(/^data\./, "")] = blockOf(code, types, prefix);
}
console.log(JSON.stringify(out, null, 1));
