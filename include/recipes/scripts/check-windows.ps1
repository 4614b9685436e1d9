# Pass when the machine can be generalized: no reboot is pending, no disk is encrypted, and SMB 1 is off.
$ErrorActionPreference = 'Stop'
$problems = @()

$pending = @(
    'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending',
    'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired'
) | Where-Object { Test-Path $_ }
foreach ($key in $pending) { $problems += "A reboot is pending ($key)." }

# Sysprep refuses an encrypted system drive.
if (Get-Command Get-BitLockerVolume -ErrorAction SilentlyContinue) {
    foreach ($volume in Get-BitLockerVolume) {
        if ($volume.VolumeStatus -ne 'FullyDecrypted') { $problems += "$($volume.MountPoint) is $($volume.VolumeStatus)." }
    }
}
if ((Get-SmbServerConfiguration).EnableSMB1Protocol) { $problems += 'SMB 1 is on.' }

foreach ($problem in $problems) { [Console]::Error.WriteLine($problem) }
exit [int]($problems.Count -gt 0)
