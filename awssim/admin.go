package awssim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

// AdminPath is where the API lives that AWS does not have.
const AdminPath = control.Path

// What the admin API speaks of.
type (
	Status         = control.Status
	InstanceStatus = control.Instance
	Capacity       = control.Capacity
	VCPUs          = control.VCPUs
	Target         = control.Target
	Settings       = control.Settings
)

// handler serves the admin API beside AWS's.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.mux)
	mux.HandleFunc(
		"GET "+AdminPath+"status",
		func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Status(), nil) },
	)
	mux.HandleFunc(
		"GET "+AdminPath+"calls",
		func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Calls(), nil) },
	)
	mux.HandleFunc("POST "+AdminPath+"settings", post(s.Set))
	mux.HandleFunc("GET "+AdminPath+"market", func(w http.ResponseWriter, r *http.Request) {
		reply(w, s.Market(r.URL.Query().Get("type")), nil)
	})
	mux.HandleFunc("POST "+AdminPath+"squeeze", post(none(s.Squeeze)))
	mux.HandleFunc("POST "+AdminPath+"capacity", post(none(s.SetCapacity)))
	mux.HandleFunc("POST "+AdminPath+"subnet", post(none(s.SetSubnet)))
	mux.HandleFunc("POST "+AdminPath+"quota", post(none(s.SetQuota)))
	mux.HandleFunc("POST "+AdminPath+"interrupt", post(none(s.Interrupt)))
	mux.HandleFunc("POST "+AdminPath+"event", post(none(s.Befall)))
	mux.HandleFunc(
		"GET "+AdminPath+"faults",
		func(w http.ResponseWriter, _ *http.Request) { reply(w, s.faults.List(), nil) },
	)
	mux.HandleFunc("POST "+AdminPath+"faults", post(s.faults.Add))
	mux.HandleFunc("DELETE "+AdminPath+"faults", func(w http.ResponseWriter, r *http.Request) {
		reply(w, struct{}{}, s.faults.Clear(r.URL.Query()["id"]...))
	})
	mux.HandleFunc(AdminPath, func(w http.ResponseWriter, r *http.Request) {
		reply(
			w,
			nil,
			fmt.Errorf(
				"%s %s: know GET status, GET calls, GET market, POST settings, POST squeeze, POST capacity, POST subnet, POST quota, POST interrupt, POST event, and GET, POST and DELETE faults",
				r.Method,
				r.URL.Path,
			),
		)
	})
	return mux
}

// none gives an action that answers nothing an empty answer.
func none[In any](act func(In) error) func(In) (struct{}, error) {
	return func(in In) (struct{}, error) { return struct{}{}, act(in) }
}

// post decodes a request's body for act.
func post[In, Out any](act func(In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		var out Out
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&in)
		if err == nil {
			out, err = act(in)
		}
		reply(w, out, err)
	}
}

func reply(w http.ResponseWriter, out any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		out = map[string]string{"error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(out) // the client hung up; there is nobody to tell
}

// Status returns a picture of the account.
func (s *Server) Status() Status {
	out := Status{
		Calls:     len(s.Calls()),
		Settings:  s.settings(),
		Instances: []InstanceStatus{},
		Capacity:  []Capacity{},
	}
	_ = s.world.Do(func(st *world.State) error {
		out.Region, out.Cluster, out.Endpoint, out.Now = st.Region.Name, st.Cluster.Name, st.Cluster.Endpoint, st.Now
		out.Templates = len(st.Templates)
		out.Spending = control.Spending(st.Spent())
		for _, in := range st.Instances {
			pool := in.Pool()
			out.Instances = append(out.Instances, InstanceStatus{
				ID:          in.ID,
				Type:        in.Type.Name,
				Zone:        pool.Zone,
				Capacity:    pool.Capacity,
				State:       in.State(st.Now).String(),
				Launched:    in.Launched,
				Price:       st.InstancePrice(in),
				Node:        in.Node,
				BootFailure: in.BootFailure,
			})
		}
		for _, n := range st.Subnets {
			out.Subnets = append(out.Subnets, control.Subnet{ID: n.ID, Zone: n.Zone.Name, Free: n.Free()})
		}
		for pool, left := range st.Pools {
			out.Capacity = append(
				out.Capacity,
				Capacity{Type: pool.Type, Zone: pool.Zone, Capacity: pool.Capacity, Available: &left},
			)
		}
		return nil
	})
	slices.SortFunc(out.Capacity, func(a, b Capacity) int {
		return strings.Compare(a.Type+a.Zone+a.Capacity, b.Type+b.Zone+b.Capacity)
	})
	return out
}

// SetCapacity sets how many more instances a pool can launch. A type or zone
// of "*" means all.
func (s *Server) SetCapacity(c Capacity) error {
	if c.Capacity != world.OnDemand && c.Capacity != world.Spot {
		return fmt.Errorf("capacityType is %q, want %s or %s", c.Capacity, world.OnDemand, world.Spot)
	}
	if c.Available != nil && *c.Available < 0 {
		return fmt.Errorf("available is %d, want 0 or more, or null for no limit", *c.Available)
	}
	return s.world.Do(func(st *world.State) error {
		found := false
		for _, t := range catalog.Offered(st.Region.Name) {
			for _, zone := range st.Zones {
				if (c.Type != "*" && c.Type != t.Name) || (c.Zone != "*" && c.Zone != zone.Name) ||
					!st.Offered(t, zone) {
					continue
				}
				found = true
				pool := world.Pool{Type: t.Name, Zone: zone.Name, Capacity: c.Capacity}
				if c.Available == nil {
					delete(st.Pools, pool)
				} else {
					st.Pools[pool] = *c.Available
				}
			}
		}
		if !found {
			return fmt.Errorf("no type %q is offered in a zone %q of %s", c.Type, c.Zone, st.Region.Name)
		}
		return nil
	})
}

// SetSubnet sets how many addresses a subnet has left.
func (s *Server) SetSubnet(c control.Subnet) error {
	return s.world.Do(func(st *world.State) error {
		subnet, err := st.Subnet(c.ID)
		if err != nil {
			return fmt.Errorf("setting the addresses of subnet %q: %w", c.ID, err)
		}
		if c.Free < 0 {
			return fmt.Errorf("free is %d, want 0 or more", c.Free)
		}
		subnet.Limit(c.Free)
		return nil
	})
}

// SetQuota limits how many vCPUs may run of a group of families.
func (s *Server) SetQuota(q VCPUs) error {
	return s.world.Do(func(st *world.State) error {
		quota := world.Quota{Bucket: q.Bucket, Capacity: q.Capacity}
		if q.VCPUs == nil {
			delete(st.Quotas, quota)
		} else {
			st.Quotas[quota] = *q.VCPUs
		}
		return nil
	})
}
