package image

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"
	testclock "k8s.io/utils/clock/testing"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// account has images by ID and parameters by name, and remembers what it was asked.
type account struct {
	images     []ec2types.Image
	parameters map[string]string
	asked      []*ec2.DescribeImagesInput
	read       []string
}

func (a *account) DescribeImages(
	_ context.Context,
	in *ec2.DescribeImagesInput,
	_ ...func(*ec2.Options),
) (*ec2.DescribeImagesOutput, error) {
	a.asked = append(a.asked, in)
	out := &ec2.DescribeImagesOutput{}
	for _, f := range in.Filters {
		if *f.Name != "image-id" {
			continue
		}
		for _, image := range a.images {
			if slices.Contains(f.Values, *image.ImageId) {
				out.Images = append(out.Images, image)
			}
		}
		return out, nil
	}
	out.Images = a.images
	return out, nil
}

func (a *account) GetParameter(
	_ context.Context,
	in *ssm.GetParameterInput,
	_ ...func(*ssm.Options),
) (*ssm.GetParameterOutput, error) {
	a.read = append(a.read, *in.Name)
	id, ok := a.parameters[*in.Name]
	if !ok {
		return nil, &ssmtypes.ParameterNotFound{}
	}
	return &ssm.GetParameterOutput{Parameter: &ssmtypes.Parameter{Value: &id}}, nil
}

func picture(id, name, arch, created string, deprecated time.Time) ec2types.Image {
	image := ec2types.Image{
		ImageId:      &id,
		Name:         &name,
		Architecture: ec2types.ArchitectureValues(arch),
		CreationDate: &created,
	}
	if !deprecated.IsZero() {
		image.DeprecationTime = awssdk.String(deprecated.Format(time.RFC3339))
	}
	return image
}

func class(terms ...awsv1.AMISelectorTerm) *awsv1.EC2NodeClass {
	return &awsv1.EC2NodeClass{Spec: awsv1.EC2NodeClassSpec{AMISelectorTerms: terms}}
}

func (a *account) finder() *Finder { return a.finderAt(testclock.NewFakeClock(noon)) }

func (a *account) finderAt(clock *testclock.FakeClock) *Finder { return New(a, a, clock, time.Minute) }

const standard = "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/"

// reads counts how often a parameter was read.
func (a *account) reads(parameter string) int {
	n := 0
	for _, name := range a.read {
		if name == parameter {
			n++
		}
	}
	return n
}

// A release that is not in the region yet is there minutes later.
func TestAnAliasThatIsNotPublishedYetIsFoundOnceItIs(t *testing.T) {
	t.Parallel()
	release := standard + "amazon-eks-node-al2023-x86_64-standard-1.36-v20260101/image_id"
	a, clock := &account{
		parameters: map[string]string{},
		images:     []ec2types.Image{picture("ami-1", "one", "x86_64", "2026", time.Time{})},
	}, testclock.NewFakeClock(
		noon,
	)
	f, wanted := a.finderAt(clock), class(awsv1.AMISelectorTerm{Alias: "al2023@v20260101"})
	for range 2 {
		if found, err := f.Find(t.Context(), wanted, "1.36"); err != nil || len(found) != 0 {
			t.Fatalf("nothing is published: %v, %v", found, err)
		}
	}
	if n := a.reads(release); n != 1 {
		t.Errorf("the parameter was read %d times in a row", n)
	}
	a.parameters[release] = "ami-1"
	clock.Step(keepParameter)
	if found, err := f.Find(t.Context(), wanted, "1.36"); err != nil || len(found) != 1 || found[0].ID != "ami-1" {
		t.Errorf("after %s: %v, %v", keepParameter, found, err)
	}
	clock.Step(keepPublished / 2)
	if found, err := f.Find(t.Context(), wanted, "1.36"); err != nil || len(found) != 1 || a.reads(release) != 2 {
		t.Errorf("what is published was read %d times: %v, %v", a.reads(release), found, err)
	}
}

// AWS deprecates an image, or takes it back, when it publishes a better one.
func TestLatestFollowsOnceItsImageIsNoLongerGood(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*account){
		"Deprecated": func(a *account) { a.images[0] = picture("ami-1", "one", "x86_64", "2026", noon) },
		"Gone":       func(a *account) { a.images = a.images[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parameter := standard + "recommended/image_id"
			a, clock := &account{
				parameters: map[string]string{parameter: "ami-1"},
				images: []ec2types.Image{
					picture("ami-1", "one", "x86_64", "2026", time.Time{}),
					picture("ami-2", "two", "x86_64", "2027", time.Time{}),
				},
			}, testclock.NewFakeClock(noon)
			f, latest := a.finderAt(clock), class(awsv1.AMISelectorTerm{Alias: "al2023@latest"})
			find := func() []awsv1.AMI {
				t.Helper()
				found, err := f.Find(t.Context(), latest, "1.36")
				if err != nil {
					t.Fatal(err)
				}
				clock.Step(time.Minute)
				return found
			}
			find()
			spoil(a)
			for range 10 {
				find()
			}
			if n := a.reads(parameter); n != 2 {
				t.Errorf(
					"while nothing better was published the parameter was read %d times in ten minutes, want once and "+
						"once again",
					n,
				)
			}
			a.parameters[parameter] = "ami-2"
			clock.Step(keepDoubted)
			find()
			if found := find(); len(found) != 1 || found[0].ID != "ami-2" {
				t.Errorf("the image is %v, want ami-2", found)
			}
		})
	}
}

// What a term says must all be true.
func TestAParameterIsOnePartOfItsTerm(t *testing.T) {
	t.Parallel()
	a := &account{
		parameters: map[string]string{"/mine": "ami-1"},
		images: []ec2types.Image{
			picture("ami-1", "one", "x86_64", "2026", time.Time{}),
			picture("ami-2", "two", "x86_64", "2027", time.Time{}),
		},
	}
	got, err := a.finder().
		Find(
			t.Context(),
			class(
				awsv1.AMISelectorTerm{
					SSMParameter: "/mine",
					Name:         "o*",
					Owner:        "123456789012",
					Tags:         map[string]string{"team": "red"},
				},
			),
			"1.36",
		)
	if err != nil || len(got) != 1 || got[0].ID != "ami-1" {
		t.Errorf("got %v, %v", got, err)
	}
	asked := map[string][]string{}
	for _, f := range a.asked[0].Filters {
		asked[*f.Name] = f.Values
	}
	want := map[string][]string{"image-id": {"ami-1"}, "name": {"o*"}, "tag:team": {"red"}, "state": {"available"}}
	if diff := cmp.Diff(
		want,
		asked,
	); diff != "" || len(a.asked) != 1 ||
		!slices.Equal(a.asked[0].Owners, []string{"123456789012"}) {
		t.Errorf("asked %d times, owners %v: -want +got\n%s", len(a.asked), a.asked[0].Owners, diff)
	}
	if got, err := a.finder().
		Find(t.Context(), class(awsv1.AMISelectorTerm{SSMParameter: "/mine", ID: "ami-2"}), "1.36"); err != nil ||
		len(got) != 0 {
		t.Errorf("a parameter that holds another image than the term names: %v, %v", got, err)
	}
}

func TestAliasesAreReadFromTheirParameters(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		alias, version string
		want           []string // a few of the parameters
	}{
		"AL2": {"al2@latest", "1.32", []string{
			"/aws/service/eks/optimized-ami/1.32/amazon-linux-2/recommended/image_id",
			"/aws/service/eks/optimized-ami/1.32/amazon-linux-2-arm64/recommended/image_id",
			"/aws/service/eks/optimized-ami/1.32/amazon-linux-2-gpu/recommended/image_id",
		}},
		"AL2Release": {"al2@v20240807", "1.30", []string{
			"/aws/service/eks/optimized-ami/1.30/amazon-linux-2/amazon-eks-node-1.30-v20240807/image_id",
			"/aws/service/eks/optimized-ami/1.30/amazon-linux-2-arm64/amazon-eks-arm64-node-1.30-v20240807/image_id",
		}},
		"AL2023": {"al2023@latest", "1.36", []string{
			"/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended/image_id",
			"/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/arm64/nvidia/recommended/image_id",
			"/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/neuron/recommended/image_id",
		}},
		"AL2023Release": {
			"al2023@v20250101",
			"1.36",
			[]string{
				"/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/amazon-eks-node-al2023-x86_64-standard-1.36-v20250101/image_id",
			},
		},
		"Bottlerocket": {"bottlerocket@v1.46.0", "1.36", []string{
			"/aws/service/bottlerocket/aws-k8s-1.36/x86_64/1.46.0/image_id",
			"/aws/service/bottlerocket/aws-k8s-1.36-nvidia/arm64/1.46.0/image_id",
		}},
		"Windows": {"windows2022@latest", "1.36", []string{
			"/aws/service/ami-windows-latest/Windows_Server-2022-English-Core-EKS_Optimized-1.36/image_id",
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &account{}
			if found, err := a.finder().
				Find(t.Context(), class(awsv1.AMISelectorTerm{Alias: tc.alias}), tc.version); err != nil ||
				len(found) != 0 {
				t.Fatalf("nothing is published: %v, %v", found, err)
			}
			for _, path := range tc.want {
				if !slices.Contains(a.read, path) {
					t.Errorf("%s was not read; read were\n%s", path, strings.Join(a.read, "\n"))
				}
			}
		})
	}
}

func TestAliasesThatDoNotExistSaySo(t *testing.T) {
	t.Parallel()
	for alias, version := range map[string]string{"al2@latest": "1.33", "windows2025@latest": "1.34"} {
		_, err := (&account{}).finder().Find(t.Context(), class(awsv1.AMISelectorTerm{Alias: alias}), version)
		var unsupported Unsupported
		if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), alias) ||
			!strings.Contains(err.Error(), "use ") {
			t.Errorf("%s on %s: got %v, want one that names the alias and the way out", alias, version, err)
		}
	}
}

func TestEachKindOfTypeGetsItsImage(t *testing.T) {
	t.Parallel()
	const prefix = "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/"
	a := &account{
		parameters: map[string]string{
			prefix + "x86_64/standard/recommended/image_id": "ami-amd",
			prefix + "arm64/standard/recommended/image_id":  "ami-arm",
			prefix + "x86_64/nvidia/recommended/image_id":   "ami-gpu",
			prefix + "x86_64/neuron/recommended/image_id":   "ami-neuron",
		},
		images: []ec2types.Image{
			picture(
				"ami-amd",
				"amd",
				"x86_64",
				"2026",
				time.Time{},
			),
			picture("ami-arm", "arm", "arm64", "2026", time.Time{}),
			picture(
				"ami-gpu",
				"gpu",
				"x86_64",
				"2026",
				time.Time{},
			),
			picture("ami-neuron", "neuron", "x86_64", "2026", time.Time{}),
		},
	}
	amis, err := a.finder().Find(t.Context(), class(awsv1.AMISelectorTerm{Alias: "al2023@latest"}), "1.36")
	if err != nil {
		t.Fatal(err)
	}
	kind := func(arch, gpus, accelerators string) *shape.InstanceType {
		count := func(key, n string) shape.Requirement {
			if n == "" {
				return shape.Requirement{Key: key, Operator: shape.DoesNotExist}
			}
			return shape.Requirement{Key: key, Values: []string{n}}
		}
		return &shape.InstanceType{Requirements: []shape.Requirement{
			count(awsv1.LabelInstanceAcceleratorCount, accelerators), count(awsv1.LabelInstanceGPUCount, gpus),
			{Key: shape.LabelArch, Values: []string{arch}},
		}}
	}
	for want, it := range map[string]*shape.InstanceType{
		"ami-amd": kind("amd64", "", ""), "ami-arm": kind("arm64", "", ""), "ami-gpu": kind("amd64", "8", ""),
		"ami-neuron": kind("amd64", "", "16"), "": kind("arm64", "1", ""),
	} {
		if got, _ := For(amis, it); got.ID != want {
			t.Errorf("got %q, want %q", got.ID, want)
		}
	}
}

func TestTheNewestImageThatIsNotDeprecatedWins(t *testing.T) {
	t.Parallel()
	a := &account{images: []ec2types.Image{
		picture("ami-1", "one", "x86_64", "2025-01-01T00:00:00Z", time.Time{}),
		picture("ami-2", "two", "x86_64", "2025-03-01T00:00:00Z", time.Time{}),
		picture("ami-3", "three", "x86_64", "2025-05-01T00:00:00Z", noon.Add(-time.Hour)),
		picture("ami-4", "four", "arm64", "2025-05-01T00:00:00Z", noon.Add(-time.Hour)),
		picture("ami-5", "five", "i386", "2025-05-01T00:00:00Z", time.Time{}),
	}}
	got, err := a.finder().Find(t.Context(), class(awsv1.AMISelectorTerm{Name: "my-*"}), "1.36")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, ami := range got {
		ids = append(ids, ami.ID)
	}
	if diff := cmp.Diff([]string{"ami-2", "ami-4"}, ids); diff != "" {
		t.Errorf("for amd64 the newest that is good, for arm64 the only one: -want +got\n%s", diff)
	}
	if owners := a.asked[0].Owners; !slices.Equal(owners, []string{"self", "amazon"}) {
		t.Errorf("names were looked for among images of %v; anybody can publish under any name", owners)
	}
	if !*a.asked[0].IncludeDeprecated {
		t.Error("nodes must not drift only because their image was deprecated")
	}
}
