// Package cluster runs a whole Kubernetes control plane on loopback.
//
// It owns one directory and the processes that live from it: it makes the
// certificates, starts the parts in order, watches them, restarts what dies
// and stops everything in an order in which nothing hangs. The parts are other
// processes of the playground's binary (see the part package), so this package
// links none of them, and any program can import it that knows where the
// binary is.
//
// What it promises: after Start returns, the API server answers, RBAC is on,
// and every chosen part is healthy. After Stop returns, no process is left,
// and no directory unless Options.Keep. If the process that called Start dies
// in any way, the parts end by themselves. It never listens anywhere but on
// loopback and writes nowhere but into its directory.
//
//	c, err := cluster.Start(ctx, cluster.Options{Binary: "bin/playground"})
//	if err != nil {
//		return err
//	}
//	defer c.Stop()
//	fmt.Println("export KUBECONFIG=" + c.Kubeconfig())
package cluster
