"""What every process shares; knows no process.

apimachinery/  the API's vocabulary, pure    api/  typed views of the API, generated    process/  how a process lives
client/        how a component talks to the apiserver                                   rpc/v1/   generated gRPC code
"""
