package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/internal/view"
)

const poolOfIdle = `apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: general}
spec:
  template:
    spec:
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}
      expireAfter: Never
      requirements:
      - {key: karpenter.sh/capacity-type, operator: In, values: [on-demand]}
---
apiVersion: karpenter.k8s.aws/v1
kind: EC2NodeClass
metadata: {name: default}
spec:
  role: nodes
  amiSelectorTerms: [{alias: al2023@latest}]
  subnetSelectorTerms: [{id: subnet-1}]
  securityGroupSelectorTerms: [{id: sg-1}]
status:
  capacityReservations:
  - {id: cr-1, instanceType: m5.large, availabilityZone: us-east-1a, instanceMatchCriteria: targeted,
     ownerID: "111122223333", reservationType: default, state: active}
  idleCapacityReservations:
  - {id: cr-2, instanceType: m5.xlarge, availabilityZone: us-east-1b, instanceMatchCriteria: open,
     idle: 2, hourlyCost: "0.3840"}
`

func TestExplainPool(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pool.yaml")
	if err := os.WriteFile(file, []byte(poolOfIdle), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, "explain", "pool", "general", "-f", file)
	if code != 0 {
		t.Fatal(stderr)
	}
	const want = `NodePool general: 0 nodes, $0.0000/h; EC2NodeClass default, ready: unknown
  reservation cr-1: m5.large in us-east-1a, targeted, active
  the pool's requirements on karpenter.sh/capacity-type leave reserved capacity out
  idle cr-2: room for 2 more m5.xlarge in us-east-1b, for $0.3840 an hour, open: ` +
		"select it in capacityReservationSelectorTerms, or set --use-open-reservations\n"
	var told []string // of reservations, and first of the pool
	for i, line := range strings.SplitAfter(stdout, "\n") {
		if i == 0 || strings.Contains(line, "reserv") || strings.Contains(line, "idle") {
			told = append(told, line)
		}
	}
	if stdout = strings.Join(told, ""); stdout != want {
		t.Errorf("got\n%s\nwant\n%s", stdout, want)
	}
	if code, stdout, _ = run(t, "explain", "pool", "general", "-f", file, "-o", "json"); code != 0 ||
		!strings.Contains(stdout, `"hourlyCost": "0.3840"`) {
		t.Errorf("exit code %d, JSON\n%s", code, stdout)
	}
	for name, args := range map[string][]string{
		"there is no NodePool other": {"explain", "pool", "other", "-f", file},
		"-o wide is unknown":         {"explain", "pool", "general", "-f", file, "-o", "wide"},
		"not 0 names":                {"explain", "pool"},
	} {
		if code, _, stderr := run(t, args...); code == 0 || !strings.Contains(stderr, name) {
			t.Errorf("%v: exit code %d, %s; want %s", args, code, stderr, name)
		}
	}
}

// What a pool may buy and give up, and why its nodes are there, adds up to what top says of the fleet.
func TestExplainPoolAddsUp(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, "explain", "pool", "web", "-f", "testdata/fleet.yaml", "-o", "json")
	if code != 0 {
		t.Fatal(stderr)
	}
	var pool view.PoolDetails
	if err := json.Unmarshal([]byte(stdout), &pool); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr = run(t, "top", "--once", "-f", "testdata/fleet.yaml", "-o", "json"); code != 0 {
		t.Fatal(stderr)
	}
	var fleet view.Fleet
	if err := json.Unmarshal([]byte(stdout), &fleet); err != nil {
		t.Fatal(err)
	}
	var nodes int
	var price view.PerHour
	for _, k := range pool.Keeps {
		nodes, price = nodes+k.Nodes, price+k.PerHour
	}
	if nodes != len(fleet.Nodes) || price != fleet.Money.PerHour {
		t.Errorf("%d nodes of %v, want %d of %v", nodes, price, len(fleet.Nodes), fleet.Money.PerHour)
	}
	for _, o := range pool.Offers {
		if o.Available == 0 || o.Lowest <= 0 || o.InstanceTypes > o.Available || o.Available > o.Offers {
			t.Errorf("offers: %+v", o)
		}
	}
	_, stdout, _ = run(t, "explain", "pool", "web", "-f", "testdata/fleet.yaml")
	for _, says := range []string{
		"on-demand: ", "budgets for Underutilized: ", "Held; web-3: PodDisruptionBudget default/carts",
	} {
		if !strings.Contains(stdout, says) {
			t.Errorf("no %q in\n%s", says, stdout)
		}
	}
}
