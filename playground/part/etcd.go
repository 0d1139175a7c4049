package part

import (
	"go.etcd.io/etcd/server/v3/etcdmain"
)

// etcd runs the store. It exits by itself on SIGTERM.
func etcd(args []string) int {
	etcdmain.Main(append([]string{"etcd"}, args...))
	return 0
}
