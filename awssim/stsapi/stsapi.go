// Package stsapi answers STS: who a caller is, and short-lived credentials for
// a web identity. Any token and any role of the account are accepted.
package stsapi

import (
	"context"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type api struct {
	world *world.World
	key   string // the access key of the credentials that are handed out
}

// New returns STS's actions. accessKey is the key id of the credentials that
// it hands out.
func New(w *world.World, accessKey string) wire.Service {
	a := &api{w, accessKey}
	return wire.Service{
		"GetCallerIdentity":         wire.Handle(a.identity),
		"AssumeRoleWithWebIdentity": wire.Handle(a.assume),
	}
}

type identityOut struct {
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

func (a *api) identity(_ context.Context, c *wire.Call, _ *struct{}) (*identityOut, error) {
	out := &identityOut{UserID: c.AccessKey}
	return out, a.world.Do(func(s *world.State) error {
		out.Account, out.Arn = s.Account, s.ARN("iam", "user/simulated")
		return nil
	})
}

type assumeIn struct {
	RoleArn          string
	RoleSessionName  string
	WebIdentityToken string
	DurationSeconds  int
	ProviderID       string `query:"ProviderId"`
	Policy           string
}

type assumeOut struct {
	Credentials struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
	}
	User struct {
		Arn string
		ID  string `xml:"AssumedRoleId"`
	} `xml:"AssumedRoleUser"`
	Subject  string `xml:"SubjectFromWebIdentityToken"`
	Provider string
}

func (a *api) assume(_ context.Context, _ *wire.Call, in *assumeIn) (*assumeOut, error) {
	_, role, found := strings.Cut(in.RoleArn, ":role/")
	switch {
	case !found:
		return nil, apierror.New("ValidationError", "%s is invalid: it must be the ARN of a role", in.RoleArn)
	case in.WebIdentityToken == "":
		return nil, apierror.New("InvalidIdentityToken", "The token must not be empty")
	}
	life := time.Hour
	if in.DurationSeconds > 0 {
		life = time.Duration(in.DurationSeconds) * time.Second
	}
	out := &assumeOut{Subject: "system:serviceaccount:kube-system:karpenter", Provider: "oidc"}
	return out, a.world.Do(func(s *world.State) error {
		out.Credentials.AccessKeyID, out.Credentials.SecretAccessKey = a.key, "simulated"
		out.Credentials.SessionToken = s.UUID()
		out.Credentials.Expiration = s.Now.Add(life).UTC().Format(time.RFC3339)
		out.User.Arn = strings.Replace(s.ARN("sts", "assumed-role/"+role+"/"+in.RoleSessionName), ":"+s.Region.Name+":", "::", 1)
		out.User.ID = "AROASIMULATED:" + in.RoleSessionName
		return nil
	})
}
