/** kubectl as a function: one kubeconfig, standard output back, its own words as the error. */
import { execFile } from 'node:child_process'

import { findTool } from '../tools/find.ts'

export interface Kubectl {
  /** Runs kubectl; returns its standard output. */
  readonly run: (...args: string[]) => Promise<string>
  /** Server-side apply of YAML text (anything of more than one line), of a file or of a directory. */
  readonly apply: (yamlOrPath: string) => Promise<string>
}

export async function createKubectl(kubeconfig: string): Promise<Kubectl> {
  const binary = await findTool('kubectl')
  // The discovery cache goes where the kubeconfig goes, not into the user's home.
  const env = { ...process.env, KUBECONFIG: kubeconfig, KUBECACHEDIR: `${kubeconfig}-cache` }

  const execute = async (args: readonly string[], input = ''): Promise<string> =>
    new Promise((resolve, reject) => {
      const child = execFile(binary, [...args], { env, maxBuffer: 256 * 1024 * 1024 }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout)
        else reject(new Error(`kubectl ${args.join(' ')}: ${stderr.trim() || error.message}`, { cause: error }))
      })
      // kubectl may end without having read its input; its exit code tells.
      child.stdin?.on('error', () => undefined)
      child.stdin?.end(input)
    })
  return {
    run: async (...args) => execute(args),
    async apply(yamlOrPath) {
      const isText = yamlOrPath.includes('\n')
      const args = ['apply', '--server-side', '--force-conflicts', '-f', isText ? '-' : yamlOrPath]
      return execute(args, isText ? yamlOrPath : '')
    },
  }
}
