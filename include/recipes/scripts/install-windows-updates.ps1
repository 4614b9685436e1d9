# Install all software updates that Windows Update offers. Safe to run again; the step reboots afterwards.
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest

$session = New-Object -ComObject Microsoft.Update.Session
$searcher = $session.CreateUpdateSearcher()
$found = $searcher.Search("IsInstalled=0 and Type='Software' and IsHidden=0").Updates
$wanted = New-Object -ComObject Microsoft.Update.UpdateColl
foreach ($update in $found) {
    if ($update.InstallationBehavior.CanRequestUserInput) { continue }
    if (-not $update.EulaAccepted) { $update.AcceptEula() }
    [void]$wanted.Add($update)
}
if ($wanted.Count -eq 0) {
    Write-Output 'Windows is up to date.'
    exit 0
}

Write-Output "Downloading $($wanted.Count) updates."
$downloader = $session.CreateUpdateDownloader()
$downloader.Updates = $wanted
[void]$downloader.Download()

$installer = $session.CreateUpdateInstaller()
$installer.Updates = $wanted
$result = $installer.Install()
for ($index = 0; $index -lt $wanted.Count; $index++) {
    # 2 is succeeded, 3 succeeded with errors; https://learn.microsoft.com/windows/win32/api/wuapi/ne-wuapi-operationresultcode
    Write-Output "$($result.GetUpdateResult($index).ResultCode) $($wanted.Item($index).Title)"
}
if ($result.ResultCode -ne 2) {
    Write-Error "Not every update is installed: result code $($result.ResultCode)"
    exit 1
}
