// Failures on purpose, set over HTTP while the server runs, and what queries showed of themselves.
//
//   POST /_test/fault    {"code":14,"times":3,"after":5}: so many queries end with that code once they
//                        have given so many documents; 0 ends them properly, as if that were all
//   POST /_test/tokens   {"accept":["…"]}: bearer tokens, one of which every query must show from now on
//   POST /_test/drift    {"queries":1}: so many queries without a read time show a later moment with each
//                        document, as the service may
//   GET  /_test/queries  {"begun":N,"tokens":["…"]}: how many queries there were, and the token each showed
'use strict';

const http = require('node:http');

/** Largest body in characters. */
const LARGEST_BODY = 1 << 16;

class Faults {
  #fault = { code: 0, times: 0, after: 0 };
  #accept = null;
  #drifting = 0;
  #tokens = [];

  /** Notes a query; whether its token is good. */
  admits(metadata) {
    const [authorization = ''] = metadata.get('authorization');
    const token = String(authorization).replace(/^Bearer /, '');
    this.#tokens.push(token);
    return this.#accept === null || this.#accept.includes(token);
  }

  /** What befalls the query that begins now: an end before its time, or nothing. */
  next() {
    if (this.#fault.times <= 0) return null;
    this.#fault.times -= 1;
    return this.#fault;
  }

  /** Whether the query that begins now shows a later moment with each document. */
  drifts() {
    if (this.#drifting <= 0) return false;
    this.#drifting -= 1;
    return true;
  }

  /** Serves the above; calls back with `HOST:PORT`. */
  listen(host, ready) {
    const server = http.createServer((request, response) => {
      let body = '';
      request.on('data', (some) => {
        body += some;
        if (body.length > LARGEST_BODY) request.destroy();
      });
      request.on('end', () => {
        try {
          response.end(JSON.stringify(this.#serve(`${request.method} ${request.url}`, body)));
        } catch (error) {
          response.writeHead(400).end(String(error));
        }
      });
    });
    server.listen(0, host, () => ready(`${host}:${server.address().port}`));
  }

  #serve(what, body) {
    switch (what) {
      case 'POST /_test/fault': {
        const { code, times = 1, after = 0 } = JSON.parse(body);
        if (![code, times, after].every(Number.isInteger)) throw new Error('expected code, times and after');
        this.#fault = { code, times, after };
        return {};
      }
      case 'POST /_test/tokens': {
        const { accept } = JSON.parse(body);
        if (!Array.isArray(accept)) throw new Error('expected accept');
        this.#accept = accept;
        return {};
      }
      case 'POST /_test/drift': {
        const { queries } = JSON.parse(body);
        if (!Number.isInteger(queries)) throw new Error('expected queries');
        this.#drifting = queries;
        return {};
      }
      case 'GET /_test/queries':
        return { begun: this.#tokens.length, tokens: this.#tokens };
      default:
        throw new Error(`${what}: not known`);
    }
  }
}

module.exports = { Faults };
