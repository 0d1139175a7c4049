// Package wire speaks AWS's protocols: EC2 and classic query (form in, XML
// out), JSON 1.0 and 1.1 (X-Amz-Target), and REST-JSON.
//
// It tells which service and action a request means, decodes its parameters
// into a handler's struct, encodes the answer or the error in that protocol's
// form with a request id, and records every call. It knows nothing of what
// the services do.
package wire
