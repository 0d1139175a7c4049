package awssim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/dovetail-sh/dovetail/awssim/boot"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// carryOut does what the world wants done outside. Messages are sent at once,
// to keep their order; what speaks to the cluster runs beside.
func (s *Server) carryOut(ctx context.Context, e world.Effect) {
	s.publish(e)
	switch e.Kind {
	case world.EffectState:
		if e.State == world.Terminated || e.State == world.Stopped {
			s.beside(ctx, func() { s.silence(ctx, e.Node) })
		}
	case world.EffectReboot:
		s.beside(ctx, func() { s.silence(ctx, e.Node) })
	case world.EffectBoot:
		s.beside(ctx, func() { s.boot(ctx, e) })
	case world.EffectGone:
		if s.options.CloudNodeLifecycle {
			s.beside(ctx, func() { s.deleteNode(ctx, e) })
		}
	}
}

// beside runs do in its own goroutine. Close waits for it. At most
// besideLimit run at once.
func (s *Server) beside(ctx context.Context, do func()) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return
	}
	s.running.Go(func() {
		defer func() { <-s.slots }()
		do()
	})
}

// besideLimit bounds how many machines speak to the API server at once.
const besideLimit = 64

// retryEvery is how often a machine tries again to register while the API
// server does not answer, as a kubelet does.
const retryEvery = 2 * time.Second

// boot plays one machine from reading its user data to registering, and to
// falling silent when a fault wants that.
func (s *Server) boot(ctx context.Context, e world.Effect) {
	node, nodes, err := s.prepare(e)
	if err == nil && nodes == nil {
		err = errors.New("no cluster was given to the simulated AWS")
	}
	if err != nil {
		s.booted(e.Instance, "", err.Error())
		return
	}
	trouble := s.trouble(e.Instance, node.Name)
	if trouble.Kind == fault.BootFailure {
		s.booted(e.Instance, "", "the machine does not get as far as its user data: a fault was injected")
		return
	}
	if trouble.Kind == fault.SlowBoot && !s.wait(ctx, time.Duration(trouble.Hold), e.Instance) {
		return
	}
	if trouble.Kind == fault.OtherRoom {
		otherRoom(node, trouble)
	}
	if err := s.register(ctx, nodes, node, e.Instance); err != nil {
		s.booted(e.Instance, "", err.Error())
		return
	}
	if trouble.Kind == fault.LostHeartbeat && s.wait(ctx, time.Duration(trouble.Hold), e.Instance) {
		s.silence(ctx, node.Name)
	}
}

// trouble is the fault that befalls a machine when it boots.
func (s *Server) trouble(in *world.Instance, node string) fault.Rule {
	pool, reboot := in.Pool(), false
	_ = s.world.Do(func(*world.State) error {
		reboot = in.Boots > 0
		return nil
	})
	rule, _ := s.faults.Next(fault.Call{Service: fault.Machine, Action: fault.Boot, Params: func() map[string]string {
		return map[string]string{
			"InstanceId":   in.ID,
			"InstanceType": pool.Type,
			"Zone":         pool.Zone,
			"CapacityType": pool.Capacity,
			"Node":         node,
			"Reboot":       strconv.FormatBool(reboot),
		}
	}})
	return rule
}

// otherRoom has a node join with what a fault says in place of what its type,
// image and user data give, as with a kubelet that keeps more for itself.
func otherRoom(node *corev1.Node, trouble fault.Rule) {
	lists := []corev1.ResourceList{node.Status.Allocatable}
	if trouble.Capacity {
		lists = append(lists, node.Status.Capacity)
	}
	for _, list := range lists {
		for name := range trouble.Room {
			// Rules were checked when they were added.
			list[corev1.ResourceName(name)], _ = trouble.Room.Of(name, list[corev1.ResourceName(name)])
		}
	}
}

// wait lets time pass; false when the machine, or the simulated AWS, ended
// meanwhile.
func (s *Server) wait(ctx context.Context, d time.Duration, in *world.Instance) bool {
	select {
	case <-ctx.Done():
		return false
	case <-s.options.Clock.After(d):
		return s.alive(in)
	}
}

// register makes the machine's Node, however long that takes. The error is
// what keeps the machine from ever joining; nil too when the machine ended.
func (s *Server) register(ctx context.Context, nodes NodeRegistrar, node *corev1.Node, in *world.Instance) error {
	for {
		err := nodes.Register(ctx, node)
		if err == nil {
			s.booted(in, node.Name, "")
			return nil
		}
		if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
			return fmt.Errorf("registering the node: %w", err)
		}
		slog.Debug("registering a simulated node", "instance", in.ID, "error", err)
		if !s.wait(ctx, retryEvery, in) {
			return nil
		}
	}
}

func (s *Server) booted(in *world.Instance, node, failure string) {
	if failure != "" {
		slog.Warn("a simulated machine does not join", "instance", in.ID, "reason", failure)
	}
	_ = s.world.Do(func(st *world.State) error {
		st.Booted(in, node, failure)
		return nil
	})
}

func (s *Server) alive(in *world.Instance) bool {
	alive := false
	_ = s.world.Do(func(st *world.State) error {
		alive = in.State(st.Now) == world.Running || in.State(st.Now) == world.Pending
		return nil
	})
	return alive
}

// prepare reads the machine's user data and makes its Node, or says why it
// never joins.
func (s *Server) prepare(e world.Effect) (*corev1.Node, NodeRegistrar, error) {
	in := e.Instance
	var cluster world.Cluster
	var nodes NodeRegistrar
	joins := false
	machine := boot.Machine{
		InstanceID: in.ID,
		Type:       in.Type,
		Family:     in.Image.Family,
		Version:    in.Image.Version,
		Address:    e.Address.String(),
	}
	_ = s.world.Do(func(st *world.State) error {
		cluster, nodes, joins = st.Cluster, s.nodes, st.MayJoin(e.Role)
		machine.Boots = in.Boots
		machine.Region, machine.Zone, machine.ZoneID = st.Region.Name, in.Subnet.Zone.Name, in.Subnet.Zone.ID
		machine.Name = st.PrivateDNSName(e.Address)
		return nil
	})
	machine.DiskGiB, machine.EFAs = podDiskGiB(in), efas(in)
	kubelet, err := boot.Read(in.Data.UserData, in.Image.Family)
	if err != nil {
		return nil, nil, err
	}
	if err := kubelet.Check(
		boot.Cluster{Name: cluster.Name, Endpoint: cluster.Endpoint, CA: cluster.CA},
	); err != nil {
		return nil, nil, err
	}
	switch {
	case e.Role == "":
		return nil, nil, errors.New("the instance has no role: its launch named no instance profile, or an empty one")
	case !joins:
		return nil, nil, fmt.Errorf("the cluster does not know the role %s: Unauthorized", e.Role)
	}
	node, err := kubelet.Node(machine)
	return node, nodes, err
}

// podDiskGiB is the size of the volume that holds pods' storage.
func podDiskGiB(in *world.Instance) int {
	device := in.Image.RootDevice
	if in.Image.Family == world.Bottlerocket {
		device = "/dev/xvdb"
	}
	for _, d := range in.Data.BlockDevices {
		if d.DeviceName == device && d.Ebs != nil && d.Ebs.VolumeSize != nil {
			return *d.Ebs.VolumeSize
		}
	}
	return in.Image.SizeGiB
}

func efas(in *world.Instance) int {
	count := 0
	for _, ni := range in.Data.NetworkInterfaces {
		if ni.InterfaceType == "efa" || ni.InterfaceType == "efa-only" {
			count++
		}
	}
	return count
}

// silence stops the heartbeats of a machine.
func (s *Server) silence(ctx context.Context, node string) {
	nodes := s.registrar()
	if node == "" || nodes == nil {
		return
	}
	if err := nodes.Silence(ctx, node); err != nil {
		slog.Debug("silencing a simulated node", "node", node, "error", err)
	}
}

// deleteNode does the work of the cloud's node controller, until it is done.
func (s *Server) deleteNode(ctx context.Context, e world.Effect) {
	nodes := s.registrar()
	if e.Node == "" || nodes == nil {
		return
	}
	for nodes.Delete(ctx, e.Node) != nil {
		select {
		case <-ctx.Done():
			return
		case <-s.options.Clock.After(retryEvery):
		}
	}
}

func (s *Server) registrar() NodeRegistrar {
	var nodes NodeRegistrar
	_ = s.world.Do(func(*world.State) error {
		nodes = s.nodes
		return nil
	})
	return nodes
}
