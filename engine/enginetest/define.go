package enginetest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// define adds an offer, a pool, a node or a daemon.
func (r *runner) define(what, name string, a *args) error {
	switch what {
	case "offer":
		return r.offer(name, a)
	case "pool":
		return r.pool(name, a)
	case "node":
		return r.node(name, a)
	case "daemon":
		c, err := a.class()
		r.world.Daemon("default/"+name, c)
		return err
	}
	return fmt.Errorf("unknown command %q", what)
}

// offer reads one instance type in zones= at capacity= with one price=. Further offers of the same name are more
// offerings of that type; extra.key= is a label of theirs.
func (r *runner) offer(name string, a *args) error {
	v, err := a.vector(110)
	if err != nil {
		return err
	}
	price, err := strconv.ParseFloat(a.get("price", "1"), 64)
	if err != nil {
		return err
	}
	it := shape.InstanceType{Name: name, Capacity: v, Allocatable: v, LastResort: a.has("lastresort")}
	labels := append(a.labels(), shape.Label{
		Key: shape.LabelArch, Value: a.get("arch", "amd64"),
	}, shape.Label{Key: shape.LabelInstanceType, Value: name})
	for _, l := range labels {
		it.Requirements = append(it.Requirements, shape.Requirement{Key: l.Key, Values: strings.Split(l.Value, "|")})
	}
	slices.SortFunc(it.Requirements, func(x, y shape.Requirement) int { return cmp.Compare(x.Key, y.Key) })
	for _, text := range a.all("slots") {
		driver, n, _ := strings.Cut(text, "/")
		count, err := strconv.Atoi(n)
		if err != nil {
			return err
		}
		it.Attachable = append(it.Attachable, shape.Amount{Resource: driver, Value: int64(count)})
	}
	o := shape.Offering{
		Price: shape.Dollars(price), Available: !a.has("unavailable"), Reservation: a.get("reservation", ""),
	}
	extra := map[string]string{}
	for _, p := range a.prefixed("extra.") {
		extra[longKey(p[0])] = p[1]
	}
	o.Extra = shape.LabelsOf(extra)
	if n := a.get("remaining", ""); n != "" {
		count, err := strconv.Atoi(n)
		if err != nil {
			return err
		}
		o.Remaining = int32(count)
	}
	for _, zone := range strings.Split(a.get("zone", "a"), ",") {
		for _, capacity := range strings.Split(a.get("capacity", shape.OnDemand), ",") {
			o.Zone, o.CapacityType = zone, capacity
			it.Offerings = append(it.Offerings, o)
		}
	}
	r.world.Type(it)
	return nil
}

func (r *runner) pool(name string, a *args) (err error) {
	p := shape.Pool{Name: name, Labels: a.labels(), NotReady: a.get("notready", "")}
	weight, err := strconv.Atoi(a.get("weight", "0"))
	if err != nil {
		return err
	}
	p.Weight = int32(weight)
	if p.Taints, err = a.taints(); err != nil {
		return err
	}
	if p.Requirements, err = requirements(strings.Join(a.all("req"), "&")); err != nil {
		return err
	}
	for _, kind := range []string{"limit.", "used."} {
		for _, l := range a.prefixed(kind) {
			resource := l[0]
			if resource == "mem" {
				resource = shape.Memory
			}
			n, err := amount(resource, l[1])
			if err != nil {
				return err
			}
			i := slices.IndexFunc(p.Limits, func(x shape.Limit) bool { return x.Resource == resource })
			if i < 0 {
				i = len(p.Limits)
				p.Limits = append(p.Limits, shape.Limit{Resource: resource})
			}
			if kind == "limit." {
				p.Limits[i].Max = n
			} else {
				p.Limits[i].Used = n
			}
		}
	}
	slices.SortFunc(p.Limits, func(x, y shape.Limit) int { return cmp.Compare(x.Resource, y.Resource) })
	r.world.Pool(p)
	return nil
}

func (r *runner) node(name string, a *args) error {
	v, err := a.vector(110)
	if err != nil {
		return err
	}
	n := shape.Node{
		Name: name, Hostname: a.get("hostname", name), Allocatable: v, Pool: a.get("pool", ""),
		Zone: a.get("zone", "a"), InstanceType: a.get("type", ""),
	}
	stages := map[string]shape.Stage{
		"launching": shape.Launching, "joined": shape.Joined, "ready": shape.Ready, "leaving": shape.Leaving,
	}
	stage, ok := stages[a.get("stage", "ready")]
	if !ok {
		return fmt.Errorf("unknown stage %q", a.get("stage", ""))
	}
	n.Stage = stage
	for _, text := range a.all("slots") {
		driver, count, _ := strings.Cut(text, "/")
		c, err := strconv.Atoi(count)
		if err != nil {
			return err
		}
		n.Attachable = append(n.Attachable, shape.Amount{Resource: driver, Value: int64(c)})
	}
	labels := append(a.labels(), shape.Label{
		Key: shape.LabelZone, Value: n.Zone,
	}, shape.Label{Key: shape.LabelArch, Value: a.get("arch", "amd64")})
	if n.Pool != "" {
		labels = append(labels, shape.Label{Key: shape.LabelNodePool, Value: n.Pool})
	}
	slices.SortFunc(labels, func(x, y shape.Label) int { return cmp.Compare(x.Key, y.Key) })
	p := shape.Profile{Labels: labels}
	if p.Taints, err = a.taints(); err != nil {
		return err
	}
	if err := r.bought(&n, &p, a); err != nil {
		return err
	}
	n.Profile = r.world.Profile(p)
	r.world.Node(n)
	return nil
}
