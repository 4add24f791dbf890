// Documents by name, in Firestore's order of names, with every version they had.
'use strict';

const fs = require('node:fs');
const { Document } = require('@firestore-emulator/proto/dist/google/firestore/v1/document');

/** What orders one segment of a name: numeric ids by number, before all others by their bytes. */
function segmentKey(segment) {
  const numeric = /^__id(-?\d+)__$/.exec(segment);
  return numeric ? { number: BigInt(numeric[1]) } : { bytes: Buffer.from(segment) };
}

function compareSegments(one, other) {
  const [a, b] = [segmentKey(one), segmentKey(other)];
  if (a.bytes && b.bytes) return Buffer.compare(a.bytes, b.bytes);
  if (a.bytes || b.bytes) return a.bytes ? 1 : -1;
  return a.number < b.number ? -1 : Number(a.number > b.number);
}

function compareNames(one, other) {
  const [a, b] = [one.split('/'), other.split('/')];
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    const order = a[i] === b[i] ? 0 : compareSegments(a[i], b[i]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

class History {
  /** In order. */
  #names = [];
  /** By name: versions, the oldest first; a document of null is a deletion. */
  #versions = new Map();
  /** The last moment anybody was told, in microseconds. */
  #last = 0;
  /** The file that keeps all of it, a version a line; empty for none. */
  #file;

  /** What the file holds, and nothing where there is none. The last line may be cut: it was told to nobody. */
  constructor(file) {
    this.#file = file;
    if (!file || !fs.existsSync(file)) return;
    for (const line of fs.readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
      const { name, at, document } = JSON.parse(line);
      this.#put(name, at, document && Document.deserialize(Buffer.from(document, 'base64')).toObject());
      this.#last = Math.max(this.#last, at);
    }
  }

  /** A moment that nobody was told before: of a write. */
  tick() {
    this.#last = Math.max(Date.now() * 1000, this.#last + 1);
    return this.#last;
  }

  /** A moment after which all writes to come are. */
  now() {
    this.#last = Math.max(Date.now() * 1000, this.#last);
    return this.#last;
  }

  set(name, at, document) {
    if (this.#file) {
      const bytes = document && Buffer.from(Document.fromObject(document).serialize()).toString('base64');
      fs.appendFileSync(this.#file, `${JSON.stringify({ name, at, document: bytes })}\n`);
    }
    this.#put(name, at, document);
  }

  #put(name, at, document) {
    if (!this.#versions.has(name)) {
      this.#versions.set(name, []);
      this.#names.splice(this.#place(name), 0, name);
    }
    this.#versions.get(name).push({ at, document });
  }

  /** The documents of a collection, or of a collection group, as they were at a moment. */
  *query({ parent, collection, deep, after, limit }, at) {
    let place = after ? this.#place(after.name) : 0;
    if (after && !after.inclusive && this.#names[place] === after.name) place += 1;
    let left = limit;
    for (; left > 0 && place < this.#names.length; place += 1) {
      const name = this.#names[place];
      if (!name.startsWith(`${parent}/`)) continue;
      const path = name.slice(parent.length + 1).split('/');
      if (path.at(-2) !== collection || (!deep && path.length !== 2)) continue;
      const version = this.#versions.get(name).findLast((version) => version.at <= at);
      if (!version?.document) continue;
      left -= 1;
      yield version.document;
    }
  }

  /** Where a name is, or would be. */
  #place(name) {
    let [low, high] = [0, this.#names.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareNames(this.#names[middle], name) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

module.exports = { History, compareNames };
