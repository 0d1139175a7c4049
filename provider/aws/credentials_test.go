package aws

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/dovetail-sh/dovetail/awssim"
)

const identityKey = "ASIAIDENTITY"

// identity is the JSON in which the pod identity agent and the instance metadata service give credentials.
func identity() string {
	return fmt.Sprintf(
		`{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":%q,"SecretAccessKey":"secret","Token":"token","Expiration":%q}`,
		identityKey,
		time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	)
}

// podIdentityAgent gives credentials to whoever has the pod's token.
func podIdentityAgent(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "pod-token" {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	_, _ = w.Write([]byte(identity()))
}

// metadataService is that of an instance with a role, in us-east-1.
func metadataService(w http.ResponseWriter, r *http.Request) {
	const credentials = "/latest/meta-data/iam/security-credentials/"
	text, ok := map[string]string{
		"PUT /latest/api/token":                          "session",
		"GET " + credentials:                             "node",
		"GET " + credentials + "node":                    identity(),
		"GET /latest/dynamic/instance-identity/document": `{"region":"us-east-1"}`,
	}[r.Method+" "+r.URL.Path]
	if !ok || r.Method == http.MethodGet && r.Header.Get("X-Aws-Ec2-Metadata-Token") != "session" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
	_, _ = w.Write([]byte(text))
}

// The controller has its credentials as its pod or its machine has them. Nothing has to be set for it but what EKS sets
// itself.
func TestCredentialsComeAsEverySDKFindsThem(t *testing.T) {
	sim, err := awssim.New(awssim.Options{
		ClusterName:       clusterName,
		ClusterEndpoint:   endpoint,
		ClusterCA:         []byte(authority),
		KubernetesVersion: "1.32",
		AccessKeys:        []string{identityKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	agent := httptest.NewServer(http.HandlerFunc(podIdentityAgent))
	t.Cleanup(agent.Close)
	metadata := httptest.NewServer(http.HandlerFunc(metadataService))
	t.Cleanup(metadata.Close)
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	nothing := map[string]string{
		"AWS_ENDPOINT_URL":                       sim.URL(),
		"AWS_ENDPOINT_URL_STS":                   sim.URL(),
		"AWS_REGION":                             "us-east-1",
		"AWS_DEFAULT_REGION":                     "",
		"AWS_PROFILE":                            "",
		"AWS_ACCESS_KEY_ID":                      "",
		"AWS_SECRET_ACCESS_KEY":                  "",
		"AWS_SESSION_TOKEN":                      "",
		"AWS_CONFIG_FILE":                        file("config", ""),
		"AWS_SHARED_CREDENTIALS_FILE":            file("none", ""),
		"AWS_EC2_METADATA_DISABLED":              "true",
		"AWS_ROLE_ARN":                           "",
		"AWS_WEB_IDENTITY_TOKEN_FILE":            "",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI":     "",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "",
	}
	for name, env := range map[string]map[string]string{
		"ServiceAccountRole": {"AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/controller", "AWS_WEB_IDENTITY_TOKEN_FILE": file("jwt", "header.body.signature")},
		"PodIdentity":        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.URL + "/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file("token", "pod-token")},
		"InstanceRole":       {"AWS_REGION": "", "AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.URL},
		"SharedFile": {"AWS_PROFILE": "ops", "AWS_SHARED_CREDENTIALS_FILE": file("credentials",
			"[ops]\naws_access_key_id = "+identityKey+"\naws_secret_access_key = secret\n")},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range nothing {
				t.Setenv(key, value)
			}
			for key, value := range env {
				t.Setenv(key, value)
			}
			found, err := Connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c, err := New(t.Context(), Deps{
				Config:   found,
				Client:   fake.NewClientBuilder().Build(),
				Clock:    testclock.NewFakeClock(noon),
				Settings: Settings{ClusterName: clusterName},
			})
			if err != nil {
				t.Fatal(err)
			}
			if c.region != "us-east-1" || c.cluster.endpoint() != endpoint {
				t.Errorf("region %s, endpoint %s", c.region, c.cluster.endpoint())
			}
		})
	}
}
