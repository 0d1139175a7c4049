// Package repair gives up nodes that have been unhealthy for too long, by what the cloud
// calls unhealthy. It asks no budget, but it stops when so many nodes are unhealthy at
// once that the reason is more likely elsewhere.
package repair
