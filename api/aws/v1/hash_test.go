package v1

import (
	"os"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
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

// TestHashIsKarpenters pins the hashes that Karpenter 1.15.2 works out for the
// same files: a user who swaps the controller must not see every node drift.
func TestHashIsKarpenters(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, caBundle, want string }{
		{"full", "", "10652166921979348771"},
		{"full", "Y2E=", "1276359249832330628"},
		{"seed", "", "9761213226621399062"},
		{"seed", "Y2E=", "366017727299089073"},
		{"open", "", "11112151232220138294"},
	}
	for _, tc := range cases {
		if got := readClass(t, tc.name).Hash(tc.caBundle); got != tc.want {
			t.Errorf("%s with CA bundle %q: hash is %s, Karpenter's is %s", tc.name, tc.caBundle, got, tc.want)
		}
	}
}

// TestHashIsThePublishedOne compares with the figures in Karpenter 1.15's own tests.
func TestHashIsThePublishedOne(t *testing.T) {
	t.Parallel()
	on := true
	other := "userdata-test-2"
	cases := map[string]struct {
		change func(*EC2NodeClass)
		want   string
	}{
		"as it is":     {func(*EC2NodeClass) {}, "11148166120438674859"},
		"enclaves on":  {func(c *EC2NodeClass) { c.Spec.EnclaveOptions = &EnclaveOptions{Enabled: true} }, "7236976372141148292"},
		"enclaves off": {func(c *EC2NodeClass) { c.Spec.EnclaveOptions = &EnclaveOptions{} }, "12655667132181172925"},
		"user data":    {func(c *EC2NodeClass) { c.Spec.UserData = &other }, "11774429238106843388"},
		"monitoring":   {func(c *EC2NodeClass) { c.Spec.DetailedMonitoring = &on }, "1936848126751988570"},
	}
	for name, tc := range cases {
		class := readClass(t, "published")
		tc.change(class)
		if got := class.Hash("test-ca-bundle"); got != tc.want {
			t.Errorf("%s: hash is %s, Karpenter's is %s", name, got, tc.want)
		}
	}
}

// The text of the kubelet's configuration is hashed, not its bytes as a set: 12 and 21 are two things, and so are two
// spellings of one duration.
func TestHashReadsTheKubeletAsText(t *testing.T) {
	t.Parallel()
	hash := func(value string) string {
		class := readClass(t, "open")
		class.Spec.Kubelet["podsPerCore"] = apiextensionsv1.JSON{Raw: []byte(value)}
		return class.Hash("")
	}
	if hash("12") == hash("21") {
		t.Error("12 and 21 have one hash")
	}
	if hash(`"60s"`) == hash(`"1m"`) {
		t.Error("two spellings have one hash, unlike Karpenter's")
	}
	if hash(`{"a": 1}`) != hash(`{"a":1}`) {
		t.Error("blanks change the hash")
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
		"kubelet":               {change: func(c *EC2NodeClass) { delete(c.Spec.Kubelet, "maxPods") }},
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
