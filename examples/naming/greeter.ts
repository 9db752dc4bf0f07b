/**
 * The service that server.ts serves and client.ts calls. In your program this file is generated from a .proto file; it is written by
 * hand here, with plain text as its messages, so that the examples need nothing but `@grpc/grpc-js`.
 */
import { Client, type handleUnaryCall, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js'

const path = '/demo.Greeter/SayHello'
const encode = (text: string): Buffer => Buffer.from(text)
const decode = (bytes: Buffer): string => bytes.toString()

export interface GreeterServer extends UntypedServiceImplementation {
  sayHello: handleUnaryCall<string, string>
}

export const greeterService: ServiceDefinition<GreeterServer> = {
  sayHello: {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: encode,
    requestDeserialize: decode,
    responseSerialize: encode,
    responseDeserialize: decode,
  },
}

export class GreeterClient extends Client {
  async sayHello(name: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.makeUnaryRequest(path, encode, decode, name, { deadline: Date.now() + 2_000 }, (error, reply = '') => {
        if (error === null) resolve(reply)
        else reject(error)
      })
    })
  }
}
