/** `EndpointManager.list` against real etcd, and what a manager does to its connection. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../../../dev/control-plane/free-port.ts'
import { EndpointManager, EtcdConnection, InvalidArgumentError, UnavailableError } from '../../../src/naming/index.ts'
import { describeEtcd, putNow } from '../../support/etcd-suite.ts'
import { manyAdds, newManager, newTarget, optionsOf, recordedLog } from '../../support/naming-contract.ts'

describeEtcd('list', (suite) => {
  test('10,001 endpoints, in key order', async () => {
    const manager = newManager(suite)
    const adds = manyAdds(manager.target, 10_001)
    for (let start = 0; start < adds.length; start += 5_000) await manager.update(adds.slice(start, start + 5_000))
    const listed = await manager.list()
    assert.deepEqual(
      [...listed.keys()],
      adds.map(({ key }) => key),
    )
    assert.deepEqual(listed.get(`${manager.target}/10.0.0.7:15000`), { addr: '10.0.0.7:15000', metadata: null })
  })

  test('what is no endpoint is skipped, with a warning', async () => {
    const target = newTarget(suite)
    const { log, lines } = recordedLog()
    const manager = newManager(suite, target, optionsOf(suite, { log }))
    await putNow(suite.client(), `${target}/garbage`, 'garbage')
    await putNow(suite.client(), `${target}/other`, '{"Addr":"b:1","Weight":3}')
    assert.deepEqual([...(await manager.list())], [[`${target}/other`, { addr: 'b:1', metadata: null }]])
    const fields = { key: `${target}/garbage`, error: "invalid character 'g' looking for beginning of value" }
    assert.deepEqual(lines, [{ level: 'warn', fields, message: 'not an endpoint: skipped' }])
  })
})

describeEtcd('a manager and its connection', (suite) => {
  test('an empty target is invalid', () => {
    assert.throws(() => new EndpointManager(optionsOf(suite), ''), {
      name: InvalidArgumentError.name,
      message: 'invalid target',
    })
  })

  test('what is no etcd is refused with what would be one', () => {
    for (const given of [{ hosts: [] }, { hosts: 'ftp://a:1' }, { hosts: 'a' }, { hosts: 'http://a:1/path' }]) {
      assert.throws(() => new EtcdConnection(given), InvalidArgumentError)
    }
  })

  test('closing closes a connection of its own, and not one that was given', async () => {
    const connection = new EtcdConnection(optionsOf(suite))
    suite.cleanUp(() => {
      connection.close()
    })
    const [own, given, other] = [
      newManager(suite),
      newManager(suite, 'foo', connection),
      newManager(suite, 'foo', connection),
    ]
    own.close()
    given.close()
    await assert.rejects(own.list(), { code: 'closed' })
    await other.list()
  })

  test('etcd that is not there is unavailable, at once', async () => {
    const manager = newManager(suite, undefined, { hosts: `127.0.0.1:${await freePort()}` })
    const startMs = performance.now()
    await assert.rejects(manager.list(), UnavailableError)
    await assert.rejects(manager.update(manyAdds(manager.target, 1)), UnavailableError)
    assert.ok(performance.now() - startMs < 2_000)
  })
})
