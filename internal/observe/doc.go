// Package observe names everything that operators see of the daemon: metrics, event
// reasons and log keys, each with the line that documents it.
//
// Nobody else makes up a name. Metric names, labels and values, event reasons and log
// keys are Karpenter's where Karpenter has them, so dashboards and alerts keep working.
// The package decides nothing and holds no state of the cluster; several daemons in one
// process each have their own Metrics.
package observe
