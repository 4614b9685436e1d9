# A subset of the CIS benchmark for Windows Server 2022 that every image can live with. Safe to run again.
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest

function Set-Value([string]$Path, [string]$Name, [int]$Value) {
    if (-not (Test-Path $Path)) { [void](New-Item -Path $Path -Force) }
    [void](New-ItemProperty -Path $Path -Name $Name -Value $Value -PropertyType DWord -Force)
}

# CIS 18.4: SMB 1 and multicast name resolution are ways in that nobody needs.
if ((Get-WindowsOptionalFeature -Online -FeatureName SMB1Protocol).State -eq 'Enabled') {
    [void](Disable-WindowsOptionalFeature -Online -FeatureName SMB1Protocol -NoRestart)
}
Set-SmbServerConfiguration -EnableSMB1Protocol $false -RequireSecuritySignature $true -Force
Set-Value 'HKLM:\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient' 'EnableMulticast' 0

# CIS 2.3.11: NTLM v2 only, no LM hashes, no anonymous listing.
$lsa = 'HKLM:\SYSTEM\CurrentControlSet\Control\Lsa'
Set-Value $lsa 'LmCompatibilityLevel' 5
Set-Value $lsa 'NoLMHash' 1
Set-Value $lsa 'RestrictAnonymous' 1
Set-Value $lsa 'RunAsPPL' 1

# TLS 1.2 and later only.
foreach ($protocol in 'SSL 3.0', 'TLS 1.0', 'TLS 1.1') {
    foreach ($side in 'Server', 'Client') {
        $path = "HKLM:\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\$protocol\$side"
        Set-Value $path 'Enabled' 0
        Set-Value $path 'DisabledByDefault' 1
    }
}

# CIS 9: the firewall is on in every profile; CIS 18.9: remote desktop asks for network level authentication.
Set-NetFirewallProfile -Profile Domain, Private, Public -Enabled True
Set-Value 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp' 'UserAuthentication' 1

Set-Value 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\PowerShell\ScriptBlockLogging' 'EnableScriptBlockLogging' 1
Write-Output 'The system is hardened.'
