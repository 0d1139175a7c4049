package redact_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/redact"
)

// shapeOf is a decision without names: what is bought, at which price, for how many pods.
func shapeOf(d *engine.Decision) string {
	var b strings.Builder
	fmt.Fprint(&b, d.Price, d.Bound, len(d.Place), len(d.Unplaced))
	for i := range d.Open {
		n := &d.Open[i]
		fmt.Fprint(&b, "|", n.ID, n.Price, len(n.Pods), len(n.Options))
		for _, o := range n.Options {
			fmt.Fprint(&b, " ", o.Type, o.Zone, o.CapacityType, o.Price)
		}
	}
	return b.String()
}

// indexOf says for each pod where it goes, by positions instead of names.
func indexOf(s *shape.Snapshot, d *engine.Decision) []string {
	node := map[string]int{}
	for i, n := range s.Nodes {
		node[n.Name] = i
	}
	where := map[shape.PodID]string{}
	for _, p := range d.Place {
		where[p.Pod] = fmt.Sprint("node ", node[p.Node])
	}
	for i := range d.Open {
		for _, p := range d.Open[i].Pods {
			where[p] = "new " + d.Open[i].ID
		}
	}
	var out []string
	for _, p := range s.Pods {
		out = append(out, where[p.ID])
	}
	return out
}

// TestDecisionsStayAsTheyAre redacts random clusters: every pod goes where it went, to what was bought before.
func TestDecisionsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := enginetest.Snapshots().Draw(rt, "snapshot")
		p := engine.DefaultPolicy()
		p.Effort = 500
		r := journal.Record{At: time.Unix(1, 0), Snapshot: s, Policy: p, Decision: engine.Plan(s, p)}
		out, _, err := redact.Plan(r)
		if err != nil {
			rt.Fatal(err)
		}
		if before, after := shapeOf(&r.Decision), shapeOf(&out.Decision); before != after {
			rt.Fatalf("was\n%s\nis\n%s", before, after)
		}
		before, after := indexOf(&r.Snapshot, &r.Decision), indexOf(&out.Snapshot, &out.Decision)
		if fmt.Sprint(before) != fmt.Sprint(after) {
			rt.Fatalf("pods went to\n%v\nand go to\n%v", before, after)
		}
	})
}

// planted are texts that must not be found again, of all kinds.
func planted(i int) string {
	dice := rand.New(rand.NewPCG(uint64(i), 1))
	secret := fmt.Sprintf("%016x", dice.Uint64())
	switch i % 15 {
	case 0:
		return "customer-" + secret
	case 1:
		return fmt.Sprintf("10.%d.%d.%d", 1+dice.IntN(254), dice.IntN(254), 1+dice.IntN(254))
	case 2:
		return "arn:aws:iam::" + fmt.Sprint(100_000_000_000+dice.Int64N(899_999_999_999)) + ":role/" + secret
	case 3:
		return "AKIA" + strings.ToUpper(secret)
	case 4:
		return "team.example.com/" + secret
	case 5:
		return fmt.Sprintf("2001:db8:%x:%x::%x", dice.IntN(65536), dice.IntN(65536), 1+dice.IntN(65535))
	case 6:
		return secret + "@example.com"
	case 7:
		return base64.StdEncoding.EncodeToString([]byte("password=" + secret))
	case 8:
		return "first line " + secret + "\nsecond line, with \"quotes\" and \ttabs"
	case 9:
		return "ip-10-0-" + fmt.Sprint(dice.IntN(255)) + "-7." + secret + ".internal"
	case 10:
		return "FailedScheduling: node host-" + secret + " had 3 pods of team-" + secret + " (see https://" + secret +
			".example.com)"
	case 11:
		return "arn:aws:eks:us-east-1:" + fmt.Sprint(
			100_000_000_000+dice.Int64N(899_999_999_999),
		) + ":cluster/" + secret
	case 12:
		return "größe-日本語-" + secret
	case 13:
		return "eyJhbGciOiJIUzI1NiJ9." + secret + "." + secret
	}
	return fmt.Sprint(100_000_000_000 + dice.Int64N(899_999_999_999)) // an account
}

// core is the part of a planted text that nothing else has: sixteen hexadecimal digits, or all of it.
func core(i int) string {
	dice := rand.New(rand.NewPCG(uint64(i), 1))
	secret := fmt.Sprintf("%016x", dice.Uint64())
	if text := planted(i); !strings.Contains(strings.ToLower(text), secret) {
		return text
	} else if !strings.Contains(text, secret) {
		return strings.ToUpper(secret)
	}
	return secret
}

// TestNothingPlantedIsLeft puts a thousand texts wherever a Snapshot has room for texts.
func TestNothingPlantedIsLeft(t *testing.T) {
	t.Parallel()
	const texts = 1000
	next := 0
	plant := func() string { next++; return planted(next - 1) }
	s := shape.Snapshot{Now: time.Unix(1, 0).UTC()}
	it := &shape.InstanceType{
		Name:        "m6i.large",
		Allocatable: shape.Vector{CPU: 2000, Memory: 8 << 30, Pods: 58},
		Capacity:    shape.Vector{CPU: 2000, Memory: 8 << 30, Pods: 58},
	}
	it.Offerings = []shape.Offering{
		{Zone: "us-east-1a", CapacityType: shape.OnDemand, Price: 96_000, Available: true, Reservation: plant()},
	}
	s.Types = []*shape.InstanceType{it}
	for next < texts {
		class := &shape.Class{
			Namespace: plant(),
			Labels:    []shape.Label{{Key: plant(), Value: plant()}},
			Requests:  shape.Vector{CPU: 100, Pods: 1, Extended: []shape.Amount{{Resource: plant(), Value: 0}}},
			NodeSelector: []shape.Requirement{
				{Key: plant(), Operator: shape.NotIn, Values: []string{plant()}},
			},
			Tolerations: []shape.Toleration{{Key: plant(), Value: plant()}},
			HostPorts: []shape.HostPort{
				{IP: plant(), Protocol: "TCP", Port: int32(1000 + next)},
			},
			Refused: "no node for " + plant(),
			Affinity: []shape.PodTerm{
				{
					Key:        plant(),
					Weight:     1,
					Namespaces: []string{plant()},
					Selector: shape.Selector{
						Requirements: []shape.Requirement{{Key: plant(), Values: []string{plant()}}},
					},
				},
			},
			Bindings: []shape.Binding{
				{Claim: plant(), Made: true, Slots: []shape.Slot{{Volume: plant()}}},
			},
			Attach: []shape.Attach{{Driver: plant(), Volume: plant()}},
		}
		s.Classes = append(s.Classes, class)
		s.Pods = append(
			s.Pods,
			shape.Pod{ID: shape.PodID(plant() + "/" + plant()), Class: int32(len(s.Classes) - 1), From: plant()},
		)
		s.Profiles = append(
			s.Profiles,
			&shape.Profile{
				Labels: []shape.Label{{Key: shape.LabelNodePool, Value: plant()}},
				Taints: []shape.Taint{{Key: plant(), Value: plant(), Effect: shape.NoSchedule}},
			},
		)
		s.Nodes = append(
			s.Nodes,
			&shape.Node{
				Name:        plant(),
				Claim:       plant(),
				Pool:        plant(),
				Hostname:    plant(),
				Profile:     int32(len(s.Profiles) - 1),
				Kept:        "because of " + plant(),
				Allocatable: it.Allocatable,
				Stage:       shape.Ready,
			},
		)
		s.Pools = append(
			s.Pools,
			&shape.Pool{
				Name:         plant(),
				Labels:       []shape.Label{{Key: plant(), Value: plant()}},
				NotReady:     plant(),
				Types:        []int32{0},
				Requirements: []shape.Requirement{{Key: plant(), Values: []string{plant()}}},
			},
		)
	}
	r := journal.Record{
		At:       s.Now,
		Snapshot: s,
		Policy:   engine.DefaultPolicy(),
		Decision: engine.Plan(s, engine.DefaultPolicy()),
	}
	out, replaced, err := redact.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	for i := range next {
		written, err := json.Marshal(planted(i))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), string(written[1:len(written)-1])) ||
			strings.Contains(string(text), core(i)) {
			left++
			t.Errorf("%s is left", planted(i))
		}
	}
	t.Logf("%d texts were planted, %d were replaced, %d are left", next, replaced, left)
	if !strings.Contains(string(text), "m6i.large") || !strings.Contains(string(text), "us-east-1a") {
		t.Error("what everybody knows is gone as well")
	}
}
