package oracle

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// board is what the scheduler believes is where: its cache, without the cluster.
type board struct {
	list    []fwk.NodeInfo
	byName  map[string]*framework.NodeInfo
	csi     map[string]*storagev1.CSINode
	volumes *bindings
	claims  claims // for devices
}

// machine is a node with what runs on it and what it can attach.
type machine struct {
	node *corev1.Node
	csi  *storagev1.CSINode // nil for a node without limits
	pods []*corev1.Pod      // daemons first

	// claim is set for a machine that is on its way: node and pods are then as they will be.
	claim  *karpenterv1.NodeClaim
	joined bool // its Node exists, with little more than the kubelet says

	leaving bool // being deleted: its pods, other than daemons, want room elsewhere
}

func newBoard(machines []machine) *board {
	b := &board{byName: map[string]*framework.NodeInfo{}, csi: map[string]*storagev1.CSINode{}, volumes: newBindings()}
	for _, m := range machines {
		if !m.leaving {
			b.add(m)
		}
	}
	return b
}

func (b *board) add(m machine) *framework.NodeInfo {
	info := framework.NewNodeInfo(m.pods...)
	info.SetNode(m.node)
	for _, pod := range m.pods {
		b.volumes.seat(pod, m.node)
	}
	b.list = append(b.list, info)
	b.byName[m.node.Name] = info
	if m.csi != nil {
		b.csi[m.node.Name] = m.csi
	}
	return info
}

// seat puts a pod on a node.
func (b *board) seat(pod *corev1.Pod, node *framework.NodeInfo) {
	node.AddPod(pod)
	b.volumes.seat(pod, node.Node())
}

// machines are the nodes of the board with all that is on them.
func (b *board) machines() []machine {
	var out []machine
	for _, n := range b.list {
		m := machine{node: n.Node(), csi: b.csi[n.Node().Name]}
		for _, p := range n.GetPods() {
			m.pods = append(m.pods, p.GetPod())
		}
		out = append(out, m)
	}
	return out
}

// drop takes the node that was added last away again.
func (b *board) drop() {
	name := b.list[len(b.list)-1].Node().Name
	b.list = b.list[:len(b.list)-1]
	delete(b.byName, name)
	delete(b.csi, name)
}

// The scheduler's plugins ask through these.

func (s *scheduler) NodeInfos() fwk.NodeInfoLister           { return s.board }
func (s *scheduler) StorageInfos() fwk.StorageInfoLister     { return s.board }
func (s *scheduler) PodGroupStates() fwk.PodGroupStateLister { return nil }
func (s *scheduler) CSINodes() fwk.CSINodeLister             { return csiNodes{s} }
func (b *board) List() ([]fwk.NodeInfo, error)               { return b.list, nil }
func (b *board) HavePodsWithAffinityList() ([]fwk.NodeInfo, error) {
	return b.having(func(n fwk.NodeInfo) bool { return len(n.GetPodsWithAffinity()) > 0 }), nil
}

func (b *board) HavePodsWithRequiredAntiAffinityList() ([]fwk.NodeInfo, error) {
	return b.having(func(n fwk.NodeInfo) bool { return len(n.GetPodsWithRequiredAntiAffinity()) > 0 }), nil
}

func (b *board) having(what func(fwk.NodeInfo) bool) []fwk.NodeInfo {
	var out []fwk.NodeInfo
	for _, n := range b.list {
		if what(n) {
			out = append(out, n)
		}
	}
	return out
}

func (b *board) Get(name string) (fwk.NodeInfo, error) {
	if n := b.byName[name]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("there is no node %s", name)
}

func (b *board) IsPVCUsedByPods(key string) bool {
	return len(b.having(func(n fwk.NodeInfo) bool { return n.GetPVCRefCounts()[key] > 0 })) > 0
}

type csiNodes struct{ scheduler *scheduler }

func (c csiNodes) List() ([]*storagev1.CSINode, error) {
	var out []*storagev1.CSINode
	for _, n := range c.scheduler.board.list {
		if csi := c.scheduler.board.csi[n.Node().Name]; csi != nil {
			out = append(out, csi)
		}
	}
	return out, nil
}

func (c csiNodes) Get(name string) (*storagev1.CSINode, error) {
	if csi := c.scheduler.board.csi[name]; csi != nil {
		return csi, nil
	}
	return nil, fmt.Errorf("there is no CSINode %s", name)
}
