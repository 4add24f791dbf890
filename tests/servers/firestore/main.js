#!/usr/bin/env node
// A stand-in for Firestore: a server from npm that keeps documents, behind a gate of ours that
// answers queries as the service documents them, in the order of names, from a cursor on, over
// collection groups, and at a moment of the past. The server alone does none of these.
//
//   firestore [-listen HOST:PORT] [-data FILE] [-history SECONDS] [-denied PROJECT,…] [-break-after N]
//             [-cursors no]
//
// It prints one line of JSON with its addresses and ends when its standard input does: the service
// (`grpc`), the same behind a front that loses the ends of answers (`front`), and failures on purpose
// (`rest`; see faults.js).
'use strict';

const grpc = require('@grpc/grpc-js');
const { FirestoreState } = require('@firestore-emulator/server');
const { FirestoreServiceV1Impl } = require('@firestore-emulator/server/dist/server/FirestoreServiceV1Impl');
const { RunQueryResponse } = require('@firestore-emulator/proto/dist/google/firestore/v1/firestore');
const { Faults } = require('./faults.js');
const front = require('./front.js');
const { History } = require('./history.js');

const { status } = grpc;
const MICROS = 1_000_000;
/** How long the service itself lets one read the past, in seconds. */
const HOUR = 3600;
const ASCENDING = 1;
/** Largest request in bytes: the service's 10 MiB, and some more. */
const LARGEST_REQUEST = 11 << 20;

const flags = {
  listen: '127.0.0.1:0',
  data: '', // a file that keeps what queries read, for a server that is started again; none: memory only
  history: String(HOUR), // how old a moment may be that is read
  denied: '', // projects nobody may read
  'break-after': '', // documents after which every answer breaks off
  cursors: 'yes', // no: queries begin at the first document, as if they had none
};
for (let i = 2; i < process.argv.length; i += 2) {
  const name = process.argv[i].replace(/^-+/, '');
  if (!(name in flags) || process.argv[i + 1] === undefined) {
    console.error(`firestore: ${process.argv[i]}: expected -${Object.keys(flags).join(', -')}, each with a value`);
    process.exit(2);
  }
  flags[name] = process.argv[i + 1];
}
const historyMicros = Number(flags.history) * MICROS;
const denied = new Set(flags.denied.split(',').filter(Boolean));
const breakAfter = flags['break-after'] === '' ? Infinity : Number(flags['break-after']);

class Refusal extends Error {
  constructor(code, details) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

function timestamp(micros) {
  return { seconds: Math.floor(micros / MICROS), nanos: (micros % MICROS) * 1000 };
}

/** What a query asks for, as far as the gate knows queries. */
function readQuery(request) {
  const query = request.structured_query;
  const only = (wanted, what) => {
    if (!wanted) throw new Refusal(status.INVALID_ARGUMENT, `this stand-in answers only queries ${what}`);
  };
  only(query && query.from.length === 1, 'of one collection id');
  only(!query.has_where && !query.offset && !query.has_end_at, 'without filter, offset and end');
  only(query.order_by.length <= 1, 'ordered by name');
  for (const { field, direction } of query.order_by) {
    only(field.field_path === '__name__' && direction <= ASCENDING, 'ordered by name, ascending');
  }
  const [from] = query.from;
  let after = null;
  if (query.has_start_at && flags.cursors !== 'no') {
    const [value, ...more] = query.start_at.values;
    only(value && more.length === 0 && value.has_reference_value, 'that start at a document');
    after = { name: value.reference_value, inclusive: query.start_at.before };
  }
  return {
    parent: request.parent,
    collection: from.collection_id,
    deep: from.all_descendants,
    after,
    limit: query.has_limit ? query.limit.value : Infinity,
  };
}

class Gate extends FirestoreServiceV1Impl {
  #state;
  #history;
  #faults;

  constructor(state, history, faults) {
    super(state);
    this.#state = state;
    this.#history = history;
    this.#faults = faults;
  }

  Commit(call, callback) {
    super.Commit(call, (error, response) => {
      if (!error) this.#remember(call.request.writes);
      callback(error, response);
    });
  }

  #remember(writes) {
    const at = this.#history.tick();
    for (const write of writes) {
      const name = write.has_update ? write.update.name : write.delete;
      const document = this.#state.getDocument(name);
      this.#history.set(name, at, document.metadata.hasExist ? document.toV1DocumentObject() : null);
    }
  }

  RunQuery(call) {
    try {
      this.#answer(call);
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error);
      call.emit('error', { code: error.code ?? status.INTERNAL, details: error.details ?? String(error) });
    }
  }

  #answer(call) {
    if (!this.#faults.admits(call.metadata)) {
      throw new Refusal(status.UNAUTHENTICATED, 'Request had invalid authentication credentials.');
    }
    const project = call.request.parent.split('/')[1];
    if (denied.has(project)) throw new Refusal(status.PERMISSION_DENIED, 'Missing or insufficient permissions.');
    const at = this.#moment(call.request);
    const fault = this.#faults.next();
    const drifts = !call.request.has_read_time && this.#faults.drifts();
    let count = 0;
    for (const document of this.#history.query(readQuery(call.request), at)) {
      if (count >= breakAfter) throw new Refusal(status.UNAVAILABLE, 'broken off on purpose');
      if (fault && count >= fault.after) break;
      const read_time = timestamp(drifts ? at + count : at);
      call.write(RunQueryResponse.fromObject({ document, read_time, skipped_results: 0 }));
      count += 1;
    }
    if (fault && fault.code !== status.OK) throw new Refusal(fault.code, 'failed on purpose');
    if (count === 0 && !fault) call.write(RunQueryResponse.fromObject({ read_time: timestamp(at), skipped_results: 0 }));
    call.end();
  }

  /** The moment a query shows, in microseconds. */
  #moment(request) {
    const now = this.#history.now();
    if (!request.has_read_time) return now;
    const { seconds, nanos } = request.read_time;
    const at = seconds * MICROS + Math.floor(nanos / 1000);
    if (at > now) throw new Refusal(status.INVALID_ARGUMENT, 'The read time lies in the future.');
    if (now - at > historyMicros) {
      throw new Refusal(status.FAILED_PRECONDITION, 'The requested snapshot version is too old.');
    }
    return at;
  }
}

const faults = new Faults();
const gate = new Gate(new FirestoreState(), new History(flags.data), faults);
const server = new grpc.Server({ 'grpc.max_receive_message_length': LARGEST_REQUEST });
server.addService(FirestoreServiceV1Impl.definition, gate);
const host = flags.listen.slice(0, flags.listen.lastIndexOf(':'));
server.bindAsync(flags.listen, grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) {
    console.error(`firestore: listen on ${flags.listen}: ${error.message}`);
    process.exit(1);
  }
  const address = `${host}:${port}`;
  faults.listen(host, (rest) => {
    front.listen(host, address, (front) => console.log(JSON.stringify({ grpc: address, front, rest })));
  });
});
process.stdin.on('end', () => process.exit(0));
process.stdin.on('error', () => process.exit(0));
process.stdin.resume();
