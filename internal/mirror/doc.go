// Package mirror holds the live picture of the cluster.
//
// It is the one place where loops share what they know of the cluster's objects. It is fed with objects by
// informers and cuts Snapshots, which are values and never change. Work is done for what
// changed only: a pod is translated when it changes, a node when it or its pods do.
// After any sequence of events a Snapshot equals the one that internal/translate makes
// of the same objects at once.
//
// It also remembers what the API server does not know yet: claims that were just created,
// so that nothing is bought twice, and which pods are planned onto which nodes, so
// that their room is not given away before kube-scheduler has bound them.
//
// It does not decide anything and does not write to the API server. No object can hold it
// up: a claim that never launches is one node that never comes, and nothing else.
package mirror
