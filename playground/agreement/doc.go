// Package agreement measures whether kube-scheduler puts pods where Dovetail planned them, on a whole cluster.
//
// It is a user with a stopwatch: it creates Deployments, lets Dovetail buy for them, and waits until all pods run.
// What was planned it reads from Dovetail's journal, what became of it from Dovetail's metrics and from the API server.
package agreement
