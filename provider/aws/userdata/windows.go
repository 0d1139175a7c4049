package userdata

import "strings"

// windows runs the user's lines and then the start script of the EKS image, in PowerShell.
func windows(o Options) string {
	var b strings.Builder
	b.WriteString("<powershell>\n")
	if user := strings.TrimSpace(o.User); user != "" {
		// The user may have written the tags too.
		user = strings.TrimSuffix(strings.TrimPrefix(user, "<powershell>"), "</powershell>")
		b.WriteString(strings.TrimSpace(user) + "\n")
	}
	b.WriteString(`[string]$EKSBootstrapScriptFile = "$env:ProgramFiles\Amazon\EKS\Start-EKSBootstrap.ps1"` + "\n")
	b.WriteString("& $EKSBootstrapScriptFile -EKSClusterName " + psQuote(o.ClusterName) +
		" -APIServerEndpoint " + psQuote(o.Endpoint))
	if o.CABundle != "" {
		b.WriteString(" -Base64ClusterCA " + psQuote(o.CABundle))
	}
	b.WriteString(" -KubeletExtraArgs " + psQuote(strings.Join(o.kubeletArgs(), " ")))
	if dns := o.dns(); len(dns) > 0 {
		b.WriteString(" -DNSClusterIP " + psQuote(dns[0]))
	}
	b.WriteString("\n</powershell>\n")
	return b.String()
}

// psQuote makes one word of text for PowerShell.
func psQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
