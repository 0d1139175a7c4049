package v1

import "testing"

func TestParseAlias(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		text string
		want Alias
		ok   bool
	}{
		"latest":          {"al2023@latest", Alias{AMIFamilyAL2023, AliasVersionLatest}, true},
		"pinned":          {"bottlerocket@v1.20.0", Alias{AMIFamilyBottlerocket, "v1.20.0"}, true},
		"windows":         {"windows2022@latest", Alias{AMIFamilyWindows2022, "latest"}, true},
		"in capitals":     {text: "AL2@latest"},
		"unknown family":  {text: "ubuntu@latest"},
		"without version": {text: "al2"},
		"empty version":   {text: "al2@"},
		"empty":           {},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := ParseAlias(tc.text)
			if got != tc.want || ok != tc.ok {
				t.Errorf("ParseAlias(%q) is %v, %v, want %v, %v", tc.text, got, ok, tc.want, tc.ok)
			}
			if ok && got.String() != tc.text {
				t.Errorf("written back it is %q, want %q", got, tc.text)
			}
		})
	}
}

func TestAMIFamily(t *testing.T) {
	t.Parallel()
	al2 := AMIFamilyAL2
	cases := map[string]struct {
		why  string
		spec EC2NodeClassSpec
		want string
	}{
		"field": {
			why:  "The field counts even beside an alias: it may say Custom there.",
			spec: EC2NodeClassSpec{AMIFamily: &al2, AMISelectorTerms: []AMISelectorTerm{{Alias: "al2023@latest"}}},
			want: AMIFamilyAL2,
		},
		"alias": {
			why:  "The seeds give only an alias.",
			spec: EC2NodeClassSpec{AMISelectorTerms: []AMISelectorTerm{{Alias: "al2023@latest"}}},
			want: AMIFamilyAL2023,
		},
		"neither": {
			why:  "The schema refuses it; code must not fall over objects that were never in a cluster.",
			spec: EC2NodeClassSpec{AMISelectorTerms: []AMISelectorTerm{{ID: "ami-0a"}}},
			want: AMIFamilyCustom,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (&EC2NodeClass{Spec: tc.spec}).AMIFamily(); got != tc.want {
				t.Errorf("%s\nAMIFamily is %s, want %s", tc.why, got, tc.want)
			}
		})
	}
}
