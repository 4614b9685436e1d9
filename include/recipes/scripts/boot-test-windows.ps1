# Pass on a fresh machine from a generalized image: setup is complete, services run, and the machine has a name of its own.
$ErrorActionPreference = 'Stop'
$problems = @()

$state = (Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State').ImageState
if ($state -ne 'IMAGE_STATE_COMPLETE') { $problems += "Windows setup is not complete: $state." }

foreach ($name in 'WindowsAzureGuestAgent', 'mpssvc', 'EventLog') {
    $service = Get-Service -Name $name -ErrorAction SilentlyContinue
    if ($null -eq $service -or $service.Status -ne 'Running') { $problems += "The service $name does not run." }
}
$accounts = @(Get-LocalUser | Where-Object { $_.Enabled })
if ($accounts.Count -gt 1) { $problems += "Accounts of the build are left: $($accounts.Name -join ', ')." }

foreach ($problem in $problems) { [Console]::Error.WriteLine($problem) }
exit [int]($problems.Count -gt 0)
