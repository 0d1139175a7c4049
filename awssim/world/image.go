package world

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/catalog"
)

// Family is the operating system of an image, which decides how it reads its
// user data.
type Family string

const (
	AL2          Family = "AL2"
	AL2023       Family = "AL2023"
	Bottlerocket Family = "Bottlerocket"
	Windows      Family = "Windows"
)

// Image is a machine image.
type Image struct {
	ID, Name, Description string
	Arch                  string // as the catalogue spells it
	Owner, OwnerAlias     string
	Created, Deprecated   time.Time
	RootDevice            string
	SizeGiB               int // of the root volume
	Windows               bool
	Tags                  []launchspec.Tag

	Family  Family
	Version string // of Kubernetes
}

// Parameter is an SSM parameter.
type Parameter struct {
	Name, Value string
	Version     int64
	Modified    time.Time

	Kind, Description string // of the account's own: "String", "StringList" or "SecureString"
	Own               bool   // put by the account, not published by AWS
}

// release is one publication of a family's images.
type release struct {
	version string
	created time.Time
	build   int64 // the parameter's version
}

func day(s string) time.Time {
	t, err := time.Parse("2006-01-02", s)
	if err != nil {
		panic(fmt.Sprintf("world: date in a table of releases: %v", err))
	}
	return t
}

// Releases, oldest first. The last one is "recommended" or "latest". AL2 has
// none for Kubernetes 1.33 and later: AWS stopped there.
var (
	al2Releases    = []release{{"v20251016", day("2025-10-16"), 41}, {"v20251112", day("2025-11-12"), 42}}
	al2023Releases = []release{{"v20260724", day("2026-07-24"), 61}, {"v20260821", day("2026-08-21"), 62}}
	rocketReleases = []release{{"1.51.0", day("2026-07-20"), 31}, {"1.52.0", day("2026-08-19"), 32}}
	windowsRelease = release{"2026.08.12", day("2026-08-12"), 21}
)

const (
	FirstMinor   = 29 // of the Kubernetes versions that have images
	LastMinor    = 36
	lastAL2Minor = 32
)

// Owners of Amazon's images.
const (
	ownerEKS          = "602401143452"
	ownerBottlerocket = "092701018921"
	ownerWindows      = "801119661308"
)

// buildImages publishes EKS-optimized images and the SSM parameters which name
// them, as AWS lays them out.
func (s *State) buildImages() {
	for minor := FirstMinor; minor <= LastMinor; minor++ {
		version := fmt.Sprintf("1.%d", minor)
		if minor <= lastAL2Minor {
			s.buildAL2(version)
		}
		s.buildAL2023(version)
		s.buildBottlerocket(version)
		s.buildWindows(version, minor)
	}
	slices.SortFunc(s.Images, func(a, b *Image) int { return strings.Compare(a.ID, b.ID) })
}

func (s *State) buildAL2(version string) {
	for _, variant := range []struct{ suffix, arch string }{
		{"", catalog.X8664}, {"-arm64", catalog.ARM64}, {"-gpu", catalog.X8664},
	} {
		base := "/aws/service/eks/optimized-ami/" + version + "/amazon-linux-2" + variant.suffix + "/"
		for i, r := range al2Releases {
			name := fmt.Sprintf("amazon-eks%s-node-%s-%s", variant.suffix, version, r.version)
			image := s.publish(Image{
				Name:        name,
				Arch:        variant.arch,
				Family:      AL2,
				Version:     version,
				Owner:       ownerEKS,
				RootDevice:  "/dev/xvda",
				SizeGiB:     20,
				Description: "EKS Kubernetes Worker AMI with AmazonLinux2 image, (k8s: " + version + ", containerd: 1.7.*)",
			}, r)
			s.name(image, r, base+name, i == len(al2Releases)-1, base+"recommended")
		}
	}
}

func (s *State) buildAL2023(version string) {
	for _, arch := range []string{catalog.X8664, catalog.ARM64} {
		for _, variant := range []string{"standard", "nvidia", "neuron"} {
			if arch == catalog.ARM64 && variant == "neuron" {
				continue // there is no such image
			}
			base := "/aws/service/eks/optimized-ami/" + version + "/amazon-linux-2023/" + arch + "/" + variant + "/"
			for i, r := range al2023Releases {
				name := fmt.Sprintf("amazon-eks-node-al2023-%s-%s-%s-%s", arch, variant, version, r.version)
				image := s.publish(Image{
					Name:        name,
					Arch:        arch,
					Family:      AL2023,
					Version:     version,
					Owner:       ownerEKS,
					RootDevice:  "/dev/xvda",
					SizeGiB:     20,
					Description: "EKS-optimized Kubernetes node based on Amazon Linux 2023, (k8s: " + version + ", containerd: 2.1.*)",
				}, r)
				s.name(image, r, base+name, i == len(al2023Releases)-1, base+"recommended")
			}
		}
	}
}

func (s *State) buildBottlerocket(version string) {
	for _, variant := range []string{"", "-nvidia"} {
		for _, arch := range []string{catalog.X8664, catalog.ARM64} {
			base := "/aws/service/bottlerocket/aws-k8s-" + version + variant + "/" + arch + "/"
			for i, r := range rocketReleases {
				name := fmt.Sprintf(
					"bottlerocket-aws-k8s-%s%s-%s-v%s-%08x",
					version,
					variant,
					arch,
					r.version,
					uint32(s.fate(version, variant, arch, r.version)),
				)
				image := s.publish(Image{
					Name:       name,
					Arch:       arch,
					Family:     Bottlerocket,
					Version:    version,
					Owner:      ownerBottlerocket,
					RootDevice: "/dev/xvda",
					SizeGiB:    2,
				}, r)
				s.name(image, r, base+r.version, i == len(rocketReleases)-1, base+"latest")
			}
		}
	}
}

func (s *State) buildWindows(version string, minor int) {
	for _, year := range []string{"2019", "2022", "2025"} {
		if year == "2025" && minor < 35 {
			continue
		}
		name := "Windows_Server-" + year + "-English-Core-EKS_Optimized-" + version
		image := s.publish(Image{
			Name:       name + "-" + windowsRelease.version,
			Arch:       catalog.X8664,
			Family:     Windows,
			Version:    version,
			Windows:    true,
			Owner:      ownerWindows,
			RootDevice: "/dev/sda1",
			SizeGiB:    50,
		}, windowsRelease)
		s.parameter("/aws/service/ami-windows-latest/"+name+"/image_id", image.ID, windowsRelease)
	}
}

// publish adds an image. Amazon deprecates its images two years on.
func (s *State) publish(image Image, r release) *Image {
	image.ID = s.fixedID("ami", image.Name)
	image.OwnerAlias = "amazon"
	image.Created, image.Deprecated = r.created, r.created.AddDate(2, 0, 0)
	s.Images = append(s.Images, &image)
	return &image
}

// name points parameters at an image: one pinned to the release and, for the
// newest, the moving one.
func (s *State) name(image *Image, r release, pinned string, newest bool, moving string) {
	paths := []string{pinned}
	if newest {
		paths = append(paths, moving)
	}
	for _, path := range paths {
		s.parameter(path+"/image_id", image.ID, r)
		if image.Family == Bottlerocket {
			s.parameter(path+"/image_version", r.version, r)
			continue
		}
		s.parameter(path+"/image_name", image.Name, r)
		s.parameter(path+"/release_version", image.Version+".0-"+strings.TrimPrefix(r.version, "v"), r)
		s.parameter(
			path,
			fmt.Sprintf(`{"schema_version":"2","image_id":%q,"image_name":%q,"release_version":"%s.0-%s"}`,
				image.ID, image.Name, image.Version, strings.TrimPrefix(r.version, "v")),
			r,
		)
	}
}

func (s *State) parameter(name, value string, r release) {
	s.Parameters[name] = Parameter{Name: name, Value: value, Version: r.build, Modified: r.created}
}

// Image finds an image by id.
func (s *State) Image(id string) (*Image, error) {
	i, found := slices.BinarySearchFunc(
		s.Images,
		id,
		func(im *Image, id string) int { return strings.Compare(im.ID, id) },
	)
	if !found {
		if rest, ok := strings.CutPrefix(id, "ami-"); !ok || !isHex(rest) {
			return nil, apierror.New("InvalidAMIID.Malformed", "Invalid id: %q (expecting \"ami-...\")", id)
		}
		return nil, apierror.New("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", id)
	}
	return s.Images[i], nil
}
