// Package admitted holds internal/admission against the code of the API server's own admission plugins, defaults and
// validation, in one process: tens of thousands of random pods in a minute. It is a test and nothing else; the whole
// server with its controllers is asked by internal/admissionoracle.
package admitted
