package offline_test

import (
	"testing"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/offline"
)

// Each family is held against types that differ in architecture and accelerators.
func TestNothingIsSoldThatNoImageStarts(t *testing.T) {
	t.Parallel()
	const plain, arm, first, gpu, armGPU, neuron, gaudi, fpga = "m5.large", "m6g.large", "a1.large", "g4dn.xlarge",
		"g5g.xlarge", "inf2.xlarge", "dl1.24xlarge", "f1.2xlarge"
	all := []string{plain, arm, first, gpu, armGPU, neuron, gaudi, fpga}
	for terms, sold := range map[string][]string{
		"al2@latest":          {plain, arm, first, gpu, neuron, gaudi, fpga},
		"al2023@latest":       {plain, arm, gpu, armGPU, neuron, gaudi, fpga},
		"bottlerocket@latest": {plain, arm, first, gpu, armGPU, neuron, gaudi, fpga},
		"windows2019@latest":  {plain, gpu},
		"windows2022@latest":  {plain, gpu},
		"windows2025@latest":  {plain, gpu},
		"":                    all, // AMIs of the user's own
	} {
		class := &awsv1.EC2NodeClass{}
		class.Spec.AMISelectorTerms = []awsv1.AMISelectorTerm{{Alias: terms}}
		if terms == "" {
			family := awsv1.AMIFamilyCustom
			class.Spec.AMIFamily, class.Spec.AMISelectorTerms[0].ID = &family, "ami-1"
		}
		types, _, err := offline.Account{}.Types("us-east-1", class)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{}
		for _, name := range sold {
			want[name] = true
		}
		for _, name := range all {
			if got := available(find(t, types, name)); got != want[name] {
				t.Errorf("%s: %s is on offer: %v, want %v", terms, name, got, want[name])
			}
		}
	}
}

func available(it *shape.InstanceType) bool {
	for _, o := range it.Offerings {
		if o.Available {
			return true
		}
	}
	return false
}
