// Package serve lets HTTP handlers be read, and only read, by people whom the cluster knows and allows.
//
// Who calls is asked of the API server (TokenReview), and so is whether they may (SubjectAccessReview): the package
// keeps no users, passwords or sessions. It lets nothing but GET and HEAD through, takes no token from an address, and
// writes none anywhere.
package serve
