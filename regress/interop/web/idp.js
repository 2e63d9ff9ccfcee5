// SPDX-License-Identifier: ISC
// An identity provider that others wrote (oidc-provider), with keys of all five
// kinds that are new at each start. Arguments: port, a file with certificate and
// key, where its client comes from, how long a token lives, "refresh" if it is
// refreshed: then a refresh token can be given back, too.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const https = require('https');
const { pathToFileURL } = require('url');

const [port, pem, home, life, refresh] = process.argv.slice(2);
const tls = fs.readFileSync(pem);
const kinds = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  ES384: ['ec', { namedCurve: 'P-384' }],
  EdDSA: ['ed25519', {}],
};
// Which key signs says the end of a resource's address.
const algOf = (resource) => resource.split('/').pop();

function key(alg) {
  const [type, options] = kinds[alg];
  const { privateKey } = crypto.generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig',
    kid: `${alg}-${crypto.randomUUID()}` };
}

import(pathToFileURL(require.resolve('oidc-provider'))).then(
  ({ Provider }) => {
    const provider = new Provider(`https://localhost:${port}`, {
      clients: [
        { client_id: 'console', token_endpoint_auth_method: 'none',
          redirect_uris: ['https://console.test/cb'].concat(home ?? []),
          grant_types: ['authorization_code'].concat(
            refresh ? 'refresh_token' : []) },
        { client_id: 'robot', client_secret: 'robot-secret-robot-secret',
          grant_types: ['client_credentials'], redirect_uris: [],
          response_types: [] },
      ],
      clientBasedCORS: () => true,
      issueRefreshToken: (ctx, client) =>
        client.grantTypeAllowed('refresh_token'),
      jwks: { keys: Object.keys(kinds).map(key) },
      scopes: ['openid', 'connect:systems', 'read:systems'],
      features: {
        clientCredentials: { enabled: true },
        deviceFlow: { enabled: true },
        revocation: { enabled: refresh !== undefined },
        resourceIndicators: {
          enabled: true,
          useGrantedResource: () => true,
          getResourceServerInfo: (ctx, resource) => ({
            scope: 'connect:systems read:systems',
            audience: 'relayd',
            accessTokenTTL: Number(life ?? 600),
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: algOf(resource) } },
          }),
        },
      },
      extraTokenClaims: () => ({ org_role: 'owner', organization_id: 'org-1',
        realm_access: { roles: ['lead'] } }),
      findAccount: (ctx, id) => ({ accountId: id,
        claims: () => ({ sub: id }) }),
    });
    provider.on('server_error', (ctx, e) => console.error(e));
    https.createServer({ cert: tls, key: tls }, provider.callback()).listen(
      Number(port), '127.0.0.1', () => console.log('listening'));
  });
