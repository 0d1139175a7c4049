package v1

import (
	"os"
	"testing"

	"sigs.k8s.io/yaml"
)

func readClass(t *testing.T, name string) *EC2NodeClass {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	class := &EC2NodeClass{}
	if err := yaml.UnmarshalStrict(text, class); err != nil {
		t.Fatal(err)
	}
	return class
}

// TestHashIsKarpenters pins the hashes that Karpenter 1.14.1 works out for the
// same files: a user who swaps the controller must not see every node drift.
func TestHashIsKarpenters(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, caBundle, want string }{
		{"full", "", "2427889696049748521"},
		{"full", "Y2E=", "11804788161288394894"},
		{"seed", "", "4175911940157363792"},
		{"seed", "Y2E=", "13515655775863756023"},
	}
	for _, tc := range cases {
		if got := readClass(t, tc.name).Hash(tc.caBundle); got != tc.want {
			t.Errorf("%s with CA bundle %q: hash is %s, Karpenter's is %s", tc.name, tc.caBundle, got, tc.want)
		}
	}
}

func TestHashNoticesWhatMakesOtherInstances(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change func(*EC2NodeClass)
		same   bool
	}{
		"user data":             {change: func(c *EC2NodeClass) { c.Spec.UserData = nil }},
		"role":                  {change: func(c *EC2NodeClass) { c.Spec.Role = "other" }},
		"tags":                  {change: func(c *EC2NodeClass) { c.Spec.Tags["team"] = "db" }},
		"kubelet":               {change: func(c *EC2NodeClass) { c.Spec.Kubelet.MaxPods = nil }},
		"disk size":             {change: func(c *EC2NodeClass) { c.Spec.BlockDeviceMappings[0].EBS.VolumeSize = nil }},
		"metadata":              {change: func(c *EC2NodeClass) { c.Spec.MetadataOptions = nil }},
		"placement group":       {change: func(c *EC2NodeClass) { c.Spec.PlacementGroupSelector = nil }},
		"family of the alias":   {change: func(c *EC2NodeClass) { c.Spec.AMISelectorTerms[0].Alias = "al2023@latest" }},
		"version of the alias":  {same: true, change: func(c *EC2NodeClass) { c.Spec.AMISelectorTerms[0].Alias = "bottlerocket@latest" }},
		"family spelt out":      {same: true, change: func(c *EC2NodeClass) { family := AMIFamilyBottlerocket; c.Spec.AMIFamily = &family }},
		"subnets":               {same: true, change: func(c *EC2NodeClass) { c.Spec.SubnetSelectorTerms = nil }},
		"security groups":       {same: true, change: func(c *EC2NodeClass) { c.Spec.SecurityGroupSelectorTerms = nil }},
		"capacity reservations": {same: true, change: func(c *EC2NodeClass) { c.Spec.CapacityReservationSelectorTerms = nil }},
		"IP prefixes":           {same: true, change: func(c *EC2NodeClass) { c.Spec.IPPrefixCount = nil }},
		"order of disks": {same: true, change: func(c *EC2NodeClass) {
			disks := c.Spec.BlockDeviceMappings
			disks[0], disks[1] = disks[1], disks[0]
		}},
		"status": {same: true, change: func(c *EC2NodeClass) { c.Status.InstanceProfile = "p" }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			class := readClass(t, "full")
			before := class.Hash("")
			tc.change(class)
			if same := class.Hash("") == before; same != tc.same {
				t.Errorf("hash is the same: %v, want %v", same, tc.same)
			}
		})
	}
}
